"""A model written for other engines, compared with Keras, and chosen by its record."""

import json
import shutil

import pytest

from dermascan_core.errors import EngineError, OutputError
from dermascan_core.evaluation.engine_agreement import measure_agreement
from dermascan_core.services import engine_export
from dermascan_core.services.engine_export import LabelledSet, export_engine
from dermascan_core.services.models import engine_order, load_model_manifest, load_predictor
from dermascan_core.tables import find_photos, read_labels
from tests.evaluation.results_by_hand import result
from tests.fakes import fake_manifest, fake_photo, photo_bytes
from tests.small_network import release_small_network


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    release_small_network(folder)
    export_engine("small", format="litert", weights_dir=folder)
    return folder


@pytest.fixture
def copied(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "weights")


@pytest.fixture
def labelled(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    rows = ["image_id,dx,lesion_id,split,age_approx"]
    for number, (dx, shade) in enumerate([("mel", 30), ("nv", 110), ("bcc", 90), ("df", 70), ("nv", 120), ("mel", 40)]):
        (images / f"p{number}.jpg").write_bytes(photo_bytes(fake_photo(lesion=(shade, 40, 35)), quality=95))
        rows.append(f"p{number},{dx},L{number},{'train' if number > 3 else 'test'},{40 + number}")
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n")
    read = read_labels(tmp_path / "metadata.csv")
    files = find_photos(images, [row.image_id for row in read])
    return LabelledSet(
        [row for row in read if row.split == "test"], files, [row for row in read if row.split == "train"], "test"
    )


def test_record_says_how_far_an_engine_agrees_and_lands_in_the_manifest(copied, labelled):
    record = export_engine("small", format="litert", labelled=labelled, weights_dir=copied)

    assert record["agreement"] == record["agreement"] | {
        "of": "test",
        "n_photos": 4,
        "n_first_class_differing": 0,
        "n_sets_differing": 0,
        "n_above_threshold_differing": 0,
        "n_next_steps_differing": 0,
    }
    assert 0 < record["agreement"]["max_probability_difference"] < 1e-5
    assert set(record["ms_a_photo"]) == {"keras", "litert"}
    assert set(record["quality"]) == {"keras", "litert"}
    assert record["quality"]["keras"] == pytest.approx(record["quality"]["litert"], nan_ok=True)
    stored = json.loads((copied / "small.json").read_text())["engines"]["litert"]
    assert stored == json.loads(json.dumps(record))
    assert list(stored["files"]) == ["small.tflite"]


def test_fastest_engine_that_agrees_answers(copied):
    predictor = load_predictor("small", weights_dir=copied)

    assert (predictor.engine, predictor.engine_note) == ("litert", "")


def test_keras_can_be_asked_for(copied):
    assert load_predictor("small", "keras", weights_dir=copied).engine == "keras"


@pytest.mark.parametrize("file", ["small.tflite", "small.heads.npz"])
def test_keras_answers_with_a_note_where_the_fast_engine_is_broken(copied, file):
    (copied / file).write_bytes(b"torn")

    predictor = load_predictor("small", weights_dir=copied)

    assert predictor.engine == "keras"
    assert predictor.engine_note.endswith("Until then Keras answers: the same answers, slower.")
    assert f"'{file}'" in predictor.engine_note


def test_engine_that_moves_a_next_step_never_answers_unasked():
    moved = {"agreement": {"max_probability_difference": 1e-6, "n_next_steps_differing": 1}}
    same = {"agreement": {"max_probability_difference": 1e-6, "n_next_steps_differing": 0}}

    manifest = fake_manifest(engines={"litert": moved, "onnx": same, "litert-int8": same})

    assert engine_order(manifest) == ["onnx"]


@pytest.mark.parametrize("precision", ["float16", "int8", "integer"])
def test_smaller_files_are_made_and_their_loss_is_recorded(copied, labelled, precision):
    record = export_engine("small", format="litert", precision=precision, labelled=labelled, weights_dir=copied)

    assert list(record["files"]) == [f"small-{precision}.tflite"]
    assert set(record["quality"]) == {"keras", f"litert-{precision}"}
    assert set(load_model_manifest("small", copied).engines) == {"litert", f"litert-{precision}"}
    assert load_predictor("small", f"litert-{precision}", weights_dir=copied).engine == f"litert-{precision}"


@pytest.mark.parametrize(
    ("format", "precision", "told"),
    [
        (
            "coreml",
            "float32",
            "Expected a format of litert, onnx, openvino and a precision of float32, float16, int8, integer. Rece",
        ),
        (
            "litert",
            "int4",
            "Expected a format of litert, onnx, openvino and a precision of float32, float16, int8, integer. Rece",
        ),
        ("onnx", "int8", "Expected float32 for onnx. Received 'int8'. Smaller files: --format litert."),
        ("litert", "int8", "Expected labelled photos for int8: without them the range of no layer is known."),
    ],
)
def test_what_cannot_be_written_is_said(copied, format, precision, told):
    with pytest.raises(EngineError) as error:
        export_engine("small", format=format, precision=precision, weights_dir=copied)

    assert str(error.value).startswith(told)


def test_writer_that_is_not_installed_is_named(copied, monkeypatch):
    monkeypatch.setattr("dermascan_core.model.export.find_spec", lambda module: None)

    with pytest.raises(EngineError, match=r"^Writing onnx needs the package tf2onnx\. It is not installed\."):
        export_engine("small", format="onnx", weights_dir=copied)


def test_full_disk_is_one_sentence_and_the_old_engine_stays(copied, monkeypatch):
    before = (copied / "small.tflite").read_bytes()

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dermascan_core.model.export.shutil.copyfile", full)
    with pytest.raises(OutputError, match=r"^The engine cannot be written to '.*': No space left on device\.$"):
        export_engine("small", format="litert", weights_dir=copied)

    assert (copied / "small.tflite").read_bytes() == before


def test_generated_pictures_are_compared_where_no_photos_are_named(exported):
    agreement = load_model_manifest("small", exported).engines["litert"]["agreement"]

    assert agreement["of"] == "generated pictures"
    assert agreement["n_photos"] == len(engine_export.generated_squares(load_model_manifest("small", exported)))


def test_agreement_counts_what_differs():
    reference = [result("a", "mel", {"mel": 0.6}), result("b", "nv", {"mel": 0.1})]
    other = [result("a", "mel", {"mel": 0.4}), result("b", "nv", {"mel": 0.1})]

    found = measure_agreement(reference, other)

    assert found["n_photos"] == 2
    assert found["max_probability_difference"] == pytest.approx(0.2)
    assert found["n_above_threshold_differing"] == 0
    assert found["n_next_steps_differing"] == 0


def test_agreement_of_other_photos_is_refused():
    with pytest.raises(ValueError, match="Expected the same photos in the same order"):
        measure_agreement([result("a", "mel", {})], [result("b", "mel", {})])
