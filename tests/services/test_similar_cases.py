"""Similar labelled photos of a screening: found where an index of these very weights ships, and never in the way."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, Status
from dermascan_core.errors import WeightsError
from dermascan_core.evaluation.retrieval import measure_retrieval
from dermascan_core.model.manifest import save_manifest
from dermascan_core.reports.export import screening_to_csv, screening_to_json
from dermascan_core.services import models
from dermascan_core.services.screening import screen_lesion
from dermascan_core.services.similar_cases import describe_similar, load_case_index, load_retrieval, why_none
from dermascan_core.trust.cases import save_cases, unit_length
from tests.evaluation.test_retrieval import FOUR
from tests.fakes import CODES, FakePredictor, fake_manifest, fake_photo, photo_bytes
from tests.trust.test_cases import RESTORE, make_cases

SHA = fake_manifest().sha256
CALM = [0.97 if code == "nv" else 0.005 for code in CODES]
ALARMING = [0.97 if code == "mel" else 0.005 for code in CODES]


def write_index(folder, dx=("nv", "nv", "mel", "nv"), *, name="fake", sha256=SHA, kinds=("dermoscopic",)):
    """An index over the fake predictor's colours; photos lie the nearer, the earlier they stand."""
    n = len(dx)
    angle = np.linspace(0.1, 1.2, n)
    towards = np.stack([np.cos(angle), np.sin(angle), np.zeros(n)], axis=1)
    index = make_cases(
        n=n,
        d=3,
        p=3,
        model=name,
        model_sha256=sha256,
        dx=np.array(dx),
        image_types=np.array([kinds[i % len(kinds)] for i in range(n)]),
        mean=np.array([-1000.0, 150, 150], np.float32),
        components=np.eye(3, dtype=np.float16),
        vectors=unit_length(towards).astype(np.float16),
        measured={"usual_similarity": {"dermoscopic": {"5": 0.5, "25": 0.8, "50": 0.9}}},
    )
    save_cases(index, folder / f"{name}.cases.npz")
    return index


def write_retrieval(folder, *, name="fake", sha256=SHA, schema=1):
    path = folder / f"{name}.evaluation" / "similar-cases" / "retrieval.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "schema": schema,
        "model": {"name": name, "version": "1", "sha256": sha256, "engine": "fake"},
        "measured_on": "test",
        "is_the_models_split": True,
        "index": {"n_photos": 4, "n_lesions": 4, "n_dimensions": 3, "k": 3},
        "choice": {
            "by": "balanced accuracy of the neighbours' vote on the validation fold",
            "image_type": "dermoscopic",
            "n": 4,
            "tolerance": 0.01,
            "rows": [{"n_dimensions": 3, "k": 3, "vote_balanced_accuracy": 0.5}],
        },
        "types": {"dermoscopic": measure_retrieval(FOUR, k=3, n_resamples=20)},
    }
    path.write_text(json.dumps(record))
    return record


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "WEIGHTS_DIR", tmp_path)
    return tmp_path


def screen(*, fixed=CALM, image_type=ImageType.DERMOSCOPIC, photo=None):
    return screen_lesion(
        [("mole.jpg", photo or photo_bytes(fake_photo(), quality=92))],
        metadata=Metadata(age_approx=50, fitzpatrick_skin_type=2),
        answers=Answers(),
        image_type=image_type,
        predictor=FakePredictor(fixed=fixed),
    )


def test_answered_photo_carries_its_nearest_labelled_photos(folder):
    write_index(folder)

    photo = screen().photos[0]

    assert [one.image_id for one in photo.similar] == ["ISIC_0", "ISIC_1", "ISIC_2", "ISIC_3"]
    assert [one.similarity for one in photo.similar] == sorted((one.similarity for one in photo.similar), reverse=True)


def test_without_an_index_photos_are_screened_as_ever(folder):
    screening = screen()

    assert (screening.photos[0].status, screening.photos[0].similar) == (Status.ANSWERED, ())
    assert why_none(fake_manifest(), ImageType.DERMOSCOPIC) == (
        "No labelled photos to compare with ship with this model."
    )
    assert describe_similar(screening.photos[0], fake_manifest(), ImageType.DERMOSCOPIC) is None


@pytest.mark.parametrize("harm", ["foreign", "truncated"])
def test_index_that_is_not_right_is_told_once_and_stops_nothing(harm, folder, caplog):
    write_index(folder, sha256="f" * 64 if harm == "foreign" else SHA)
    path = folder / "fake.cases.npz"
    if harm == "truncated":
        path.write_bytes(path.read_bytes()[:200])

    screenings = [screen(), screen()]

    assert [s.photos[0].similar for s in screenings] == [(), ()]
    assert sum("without similar labelled ones" in record.message for record in caplog.records) == 1
    told = why_none(fake_manifest(), ImageType.DERMOSCOPIC)
    assert told.endswith(RESTORE)
    with pytest.raises(WeightsError) as error:
        load_case_index(fake_manifest())
    assert str(error.value) == told


def test_index_that_was_put_right_is_used_without_a_new_start(folder):
    (folder / "fake.cases.npz").write_bytes(b"")
    assert screen().photos[0].similar == ()

    write_index(folder)

    assert len(screen().photos[0].similar) == 4


def test_phone_photo_is_not_compared_with_dermoscopic_ones(folder):
    write_index(folder)

    assert screen(image_type=ImageType.CLINICAL).photos[0].similar == ()
    assert why_none(fake_manifest(), ImageType.CLINICAL) == (
        "The labelled photos that ship with this model hold no clinical ones to compare with."
    )


def test_refused_photo_has_no_similar_ones(folder):
    write_index(folder)

    assert screen(photo=photo_bytes(np.zeros((300, 400, 3), np.uint8))).photos[0].similar == ()


@pytest.mark.parametrize(
    ("fixed", "dx", "says"),
    [
        (CALM, ("nv", "nv", "nv", "nv"), (0, False, False)),
        (CALM, ("nv", "mel", "nv", "nv"), (1, False, False)),
        (CALM, ("bcc", "mel", "nv", "nv"), (2, True, False)),
        (ALARMING, ("nv", "nv", "nv", "df"), (0, False, True)),
        (ALARMING, ("mel", "nv", "nv", "nv"), (1, False, False)),
    ],
)
def test_neighbours_that_point_another_way_are_seen(fixed, dx, says, folder):
    write_index(folder, dx)

    similar = describe_similar(screen(fixed=fixed).photos[0], fake_manifest(), ImageType.DERMOSCOPIC)

    assert (similar.n_malignant, similar.points_up, similar.points_down) == says
    assert sum(similar.label_mix.values()) == pytest.approx(1)
    assert (similar.n_labelled, similar.source, similar.measured) == (4, "Archive", None)


def test_neighbours_never_change_the_next_step(folder):
    before = screen(fixed=ALARMING)
    write_index(folder, ("nv",) * 4)

    after = screen(fixed=ALARMING)

    assert (after.next_step, after.step_reasons) == (before.next_step, before.step_reasons)


def test_record_names_the_three_nearest_and_the_table_none(folder):
    write_index(folder)
    screening = screen()

    told = json.loads(screening_to_json(screening))["photos"][0]["similar_photos"]

    assert [one["image_id"] for one in told] == ["ISIC_0", "ISIC_1", "ISIC_2"]
    assert set(told[0]) == {"image_id", "lesion_id", "dx", "similarity"}
    assert "ISIC_0" not in screening_to_csv(screening)


def test_what_was_measured_is_read_of_these_weights_alone(folder):
    write_index(folder)
    record = write_retrieval(folder)
    photo = screen().photos[0]

    assert load_retrieval("fake") == record
    similar = describe_similar(photo, fake_manifest(), ImageType.DERMOSCOPIC)
    assert similar.measured == record["types"]["dermoscopic"]
    assert similar.measured_on == "test"
    other = replace(fake_manifest(), sha256="e" * 64)
    assert describe_similar(photo, other, ImageType.DERMOSCOPIC).measured is None
    save_manifest(other, folder / "fake.json")
    with pytest.raises(WeightsError, match=f"to be of its weights, sha256 {'e' * 64}"):
        load_retrieval("fake")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "What was measured of the similar photos of 'fake' cannot be read"),
        ("[]", "What was measured of the similar photos of 'fake' cannot be read"),
        ('{"schema": 9, "model": {"sha256": ""}}', "Expected schema 1 .* Received 9"),
    ],
)
def test_measured_file_that_is_not_right_is_told(text, message, folder):
    write_index(folder)
    write_retrieval(folder)
    (folder / "fake.evaluation" / "similar-cases" / "retrieval.json").write_text(text)

    with pytest.raises(WeightsError, match=message):
        load_retrieval("fake")
    assert describe_similar(screen().photos[0], fake_manifest(), ImageType.DERMOSCOPIC).measured is None


def test_nothing_measured_is_none_and_no_name_leads_out_of_the_folder(folder):
    assert load_retrieval("fake") is None
    assert load_retrieval("../fake") is None
