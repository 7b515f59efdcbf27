"""The other archives' tables as they lie on disk: every row understood, every photo found, a slice measured."""

import pytest

from dermascan_core.domain import ImageType
from dermascan_core.evaluation.evaluate import evaluate_photos
from dermascan_core.evaluation.stress import stress_photos
from dermascan_core.tables import find_photos, read_labels
from tests.fakes import FakePredictor

pytestmark = pytest.mark.real_data
N_PHOTOS = 12


def _read(folder):
    if not folder.is_dir():
        pytest.skip(f"REAL PHOTOS NOT TESTED: there is no {folder.name}.")
    problems = []
    photos = read_labels(folder / "metadata.csv", problems=problems)
    assert problems == []
    return photos, find_photos(folder / "images", [p.image_id for p in photos])


@pytest.mark.parametrize(
    ("name", "has_classes", "resampled"),
    [("isic2020_patients", False, "patient"), ("pad_ufes_20", True, "patient"), ("isic_uda1", True, "photo")],
)
def test_archive_is_evaluated_as_it_lies_on_disk(data_dir, tmp_path, name, has_classes, resampled):
    photos, files = _read(data_dir / name)
    assert len(files) == len(photos)
    # A slice with cancers and others in it.
    some = [*[p for p in photos if p.is_malignant][:4], *[p for p in photos if not p.is_malignant][: N_PHOTOS - 4]]
    image_type = ImageType.CLINICAL if name == "pad_ufes_20" else ImageType.DERMOSCOPIC

    metrics = evaluate_photos(FakePredictor(), some, files, out=tmp_path, image_type=image_type).metrics

    assert (metrics["data"]["n_predicted"], metrics["data"]["n_malignant"]) == (N_PHOTOS, 4)
    assert metrics["intervals"]["resampled"] == resampled
    assert bool(metrics["classes"]) is has_classes
    assert metrics["summary"]["malignant_auc"]["value"] is not None
    assert metrics["melanoma"] is not None


def test_isic_2020_has_its_real_prevalence_and_its_people(data_dir):
    photos, _ = _read(data_dir / "isic2020_patients")

    assert sum(p.is_malignant for p in photos) / len(photos) == pytest.approx(0.015, abs=0.002)
    assert all(p.dx == "mel" for p in photos if p.is_malignant)
    assert len({p.patient_id for p in photos}) == 65
    assert sum(p.metadata.anatom_site is not None for p in photos) > 1000


def test_pad_ufes_20_tells_skin_type_and_how_it_was_confirmed(data_dir):
    photos, _ = _read(data_dir / "pad_ufes_20")

    assert {p.dx for p in photos} == {"bcc", "nv", "ak", "sk", "mel", "scc"}
    assert {p.metadata.fitzpatrick_skin_type for p in photos} >= {1, 2, 3, 4, None}
    assert {p.confirmed_by for p in photos} == {"histopathology", "clinic"}


def test_real_photos_are_stressed_through_the_whole_pipeline(data_dir):
    photos, files = _read(data_dir / "ham10000")

    (one,) = stress_photos(
        FakePredictor(), [p for p in photos if p.split == "test" and p.dx == "mel"][:1], files, seed=0
    )

    assert all(result.prediction is not None for result in one.results.values())
    assert one.contrast > 5
