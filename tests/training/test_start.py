from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.errors import DatasetError, TrainingError, WeightsError
from dermascan_core.model.checkpoint import load_weights
from dermascan_core.model.dual_branch import build_dual_branch
from dermascan_core.model.manifest import load_manifest
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.services.models import WEIGHTS_DIR
from dermascan_core.tables import group_of, read_split, shipped_splits, split_sha256
from dermascan_core.training.data import load_dataset
from dermascan_core.training.fit import train
from dermascan_core.training.start import read_origin, refuse_known_photos, start_from

CODES = ("mel", "nv", "bcc", "pbk")
FIELDS = ("age_approx", "sex", "anatom_site")


def build():
    width = MetadataEncoder(FIELDS).width
    return build_dual_branch("mobilenet", input_px=64, metadata_width=width, n_classes=len(CODES))


def test_network_starts_with_the_released_weights(shipped):
    network = build()

    copied = start_from(network, read_origin(shipped / "shipped.keras"), codes=CODES, metadata_fields=FIELDS)

    assert copied == ("backbone", "metadata_branch", "fusion", "logits")
    known = np.zeros((1, network.inputs[1].shape[1]), np.float32)
    image = np.full((1, 64, 64, 3), 90, np.float32)
    released = load_weights(load_manifest(shipped / "shipped.json"), shipped / "shipped.keras")
    ours, theirs = network.predict([image, known], verbose=0), released.predict([image, known], verbose=0)[0]
    assert np.allclose(ours, theirs, atol=1e-5)


def test_network_of_another_side_starts_with_a_run_s_weights(finished_run, shipped):
    """What a release holds is what its run offers, so both are one beginning; the square's side has no weights."""
    ours, theirs = (build_dual_branch("mobilenet", input_px=px, metadata_width=MetadataEncoder(FIELDS).width, n_classes=4)
                    for px in (96, 64))  # fmt: skip

    copied = start_from(ours, read_origin(finished_run), codes=CODES, metadata_fields=FIELDS)
    start_from(theirs, read_origin(shipped / "shipped.keras"), codes=CODES, metadata_fields=FIELDS)

    assert copied == ("backbone", "metadata_branch", "fusion", "logits")
    assert all(np.array_equal(a, b) for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True))


def test_classes_in_another_order_start_anew(shipped):
    copied = start_from(
        build(), read_origin(shipped / "shipped.keras"), codes=("nv", "mel", "bcc", "pbk"), metadata_fields=FIELDS
    )

    assert copied == ("backbone", "metadata_branch", "fusion")


def test_other_questions_start_anew(shipped):
    copied = start_from(
        build(),
        read_origin(shipped / "shipped.keras"),
        codes=CODES,
        metadata_fields=("sex", "age_approx", "anatom_site"),
    )

    assert copied == ("backbone", "fusion", "logits")


def test_another_backbone_is_refused(shipped, tiny_backbone):
    with pytest.raises(WeightsError, match="Expected a trained network with the recipe's backbone"):
        start_from(build(), read_origin(shipped / "shipped.keras"), codes=CODES, metadata_fields=FIELDS)


def test_altered_weights_are_refused(shipped, tmp_path):
    for name in ("shipped.keras", "shipped.json"):
        (tmp_path / name).write_bytes((shipped / name).read_bytes())
    with (tmp_path / "shipped.keras").open("ab") as file:
        file.write(b"x")

    with pytest.raises(WeightsError, match="differ from their manifest"):
        start_from(build(), read_origin(tmp_path / "shipped.keras"), codes=CODES, metadata_fields=FIELDS)


def test_run_validated_by_what_the_release_learnt_from_is_refused(shipped, generated_dataset, smoke_preset, tmp_path):
    """Fold 1 trained the release: whoever starts from its weights would be examined on its textbook."""
    preset = replace(smoke_preset, pretrained=str(shipped / "shipped.keras"))

    with pytest.raises(TrainingError, match=r"lesions, bcc_1, bcc_3, bcc_5 among them.*Hold out fold 0"):
        train(preset, data=generated_dataset, out=tmp_path / "run", fold=1)

    assert not (tmp_path / "run").exists()


def test_run_of_another_fold_is_no_start(finished_run, generated_dataset, smoke_preset, tmp_path):
    preset = replace(smoke_preset, pretrained=str(finished_run))

    with pytest.raises(TrainingError, match="Hold out fold 0"):
        train(preset, data=generated_dataset, out=tmp_path / "run", fold=1)


def test_folder_without_a_run_is_no_start(generated_dataset, smoke_preset, tmp_path):
    preset = replace(smoke_preset, pretrained=str(tmp_path))

    with pytest.raises(DatasetError, match=r"Expected a run with run.json and state.json in"):
        train(preset, data=generated_dataset, out=tmp_path / "run")


def test_lesions_of_the_split_that_ships_are_known_by_name():
    """The release was trained on two archives: the photos of one of them alone are another split, of the same lesions."""
    ham10000 = read_split(shipped_splits()[0])
    release = WEIGHTS_DIR / "dermascan.keras"
    fold_1 = [row for row in ham10000 if row.fold == "1"]

    with pytest.raises(TrainingError, match=rf"It knows {len({row.lesion_id for row in fold_1})} of their lesions"):
        refuse_known_photos(read_origin(release), fold_1, split_sha256=split_sha256(ham10000))

    for split in ("fold 0", "test"):
        unseen = [row for row in ham10000 if split in (f"fold {row.fold}", row.split)]
        refuse_known_photos(read_origin(release), unseen, split_sha256=split_sha256(ham10000))
        assert len(unseen) > 900


@pytest.mark.parametrize(
    "blank", [("patient_id",), ("patient_id", "lesion_id")], ids=["no people", "no lesions either"]
)
def test_lesions_are_known_where_the_table_names_less_than_the_split_that_ships(blank):
    pad = read_split(next(path for path in shipped_splits() if path.stem == "pad-ufes-20"))
    fold_1 = [replace(row, **dict.fromkeys(blank, "")) for row in pad if row.fold == "1"]
    unseen = [replace(row, **dict.fromkeys(blank, "")) for row in pad if row.fold == "0"]
    origin = read_origin(WEIGHTS_DIR / "dermascan.keras")

    with pytest.raises(TrainingError, match=rf"It knows {len({group_of(row) for row in fold_1})} of their lesions"):
        refuse_known_photos(origin, fold_1, split_sha256="of the phone photos alone")
    refuse_known_photos(origin, unseen, split_sha256="of the phone photos alone")


def test_photos_of_a_clinic_may_validate_whatever_their_fold(shipped, generated_dataset):
    dataset = load_dataset(generated_dataset)

    refuse_known_photos(
        read_origin(shipped / "shipped.keras"), dataset.part(split="train"), split_sha256="of another data set"
    )
