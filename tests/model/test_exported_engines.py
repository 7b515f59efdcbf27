"""Exported networks against Keras, and every way in which a file of theirs can be wrong."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.errors import EngineError
from dermascan_core.imaging.preprocess import PreprocessConfig
from dermascan_core.model import exported_engines
from dermascan_core.model.checkpoint import load_weights
from dermascan_core.model.exported_engines import agrees, engine_name, open_engine
from dermascan_core.model.head_file import heads_file, load_heads
from dermascan_core.model.keras_engine import KerasEngine
from dermascan_core.model.predictor import EnginePredictor
from dermascan_core.services.engine_export import export_engine
from dermascan_core.services.models import load_model_manifest
from tests.small_network import random_squares, release_small_network

ENGINES = ("litert", "onnx", "openvino")


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    release_small_network(folder)
    for format in ENGINES:
        export_engine("small", format=format, weights_dir=folder)
    return folder


@pytest.fixture(scope="module")
def keras_engine(released):
    manifest = load_model_manifest("small", released)
    return KerasEngine(load_weights(manifest, released / "small.keras"))


def _open(folder, name="litert", **changes):
    return open_engine(replace(load_model_manifest("small", folder), **changes), folder / "small.keras", name)


@pytest.fixture
def copied(released, tmp_path):
    return shutil.copytree(released, tmp_path / "weights")


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("n_views", [1, 5, 9])
def test_engine_gives_keras_outputs_for_any_number_of_views(released, keras_engine, name, n_views):
    images = random_squares(n_views).astype(np.float32)
    answers = np.random.default_rng(1).random((n_views, 30)).astype(np.float32)[:, : _width(released)]

    expected = keras_engine.run(images, answers)
    found = _open(released, name).run(images, answers)

    assert len(found) == len(expected) == 1
    for one, other in zip(found[0], expected[0], strict=True):
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-4)


def _width(folder):
    from dermascan_core.model.metadata_branch import MetadataEncoder

    return MetadataEncoder(load_model_manifest("small", folder).metadata_fields).width


@pytest.mark.parametrize("name", ENGINES)
def test_predictor_explains_alike_over_every_engine(released, keras_engine, name):
    manifest = load_model_manifest("small", released)
    squares, told = random_squares(3), [Metadata(age_approx=60), Metadata(), Metadata(sex="male")]

    expected = EnginePredictor(manifest, keras_engine).predict(squares, told, explain=True)
    found = EnginePredictor(manifest, _open(released, name)).predict(squares, told, explain=True)

    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.prediction.ham_probabilities, other.prediction.ham_probabilities, atol=1e-5)
        np.testing.assert_allclose(one.heat_maps["mel"], other.heat_maps["mel"], atol=1e-3)
        assert one.metadata_effects == pytest.approx(dict(other.metadata_effects), abs=1e-5)


def test_many_callers_at_once_get_their_own_answers(released):
    engine = _open(released)
    images = random_squares(40, seed=4).astype(np.float32)
    answers = np.zeros((40, _width(released)), np.float32)
    alone = [engine.run(images[i : i + 1], answers[i : i + 1])[0][0] for i in range(40)]

    with ThreadPoolExecutor(8) as callers:
        together = list(callers.map(lambda i: engine.run(images[i : i + 1], answers[i : i + 1])[0][0], range(40)))

    np.testing.assert_array_equal(together, alone)


def test_heads_are_those_of_the_network(released, keras_engine):
    manifest = load_model_manifest("small", released)

    (read,) = load_heads(heads_file(released / "small.keras"), sha256=manifest.sha256)

    for part in ("metadata_branch", "fusion", "logits_layer"):
        for ours, theirs in zip(getattr(read, part), getattr(keras_engine.heads[0], part), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert (read.gate, read.film) == (None, None)


def test_heads_of_other_weights_are_refused(released):
    with pytest.raises(
        EngineError, match=r"^Expected 'small\.heads\.npz' to belong to the weights 777777777777\. It bel"
    ):
        load_heads(heads_file(released / "small.keras"), sha256="7" * 64)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", None])
def test_damaged_or_missing_heads_are_one_sentence(copied, content):
    path = heads_file(copied / "small.keras")
    path.unlink() if content is None else path.write_bytes(content)

    with pytest.raises(
        EngineError, match=r"^Expected the network's heads in 'small\.heads\.npz'\. They cannot be read"
    ):
        _open(copied)


def test_truncated_file_is_named_with_both_hashes(copied):
    path = copied / "small.tflite"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(
        EngineError, match=r"^The engine's file 'small\.tflite' differs from the manifest: expected sha256"
    ):
        _open(copied)


def test_missing_part_of_an_engine_is_named(copied):
    (copied / "small.bin").unlink()

    with pytest.raises(
        EngineError, match=r"^Expected the engine's file 'small\.bin' beside the weights\. It is missing\."
    ):
        _open(copied, "openvino")


@pytest.mark.parametrize(
    ("name", "file"), [("litert", "small.tflite"), ("onnx", "small.onnx"), ("openvino", "small.xml")]
)
def test_file_that_its_engine_cannot_open_is_one_sentence(copied, name, file, capfd):
    from dermascan_core.model.manifest import file_sha256

    path = copied / file
    path.write_bytes(b"TFL9 of another age" * 50)
    record = load_model_manifest("small", copied).engines[name]
    files = record["files"] | {file: file_sha256(path)}

    with pytest.raises(EngineError, match=f"^The engine's file '{file}' cannot be opened: "):
        _open(copied, name, engines={name: {**record, "files": files}})


def test_engine_of_another_network_is_refused(released):
    with pytest.raises(EngineError, match=r"^The engine's file 'small\.tflite' is of another network: expected inputs"):
        _open(released, preprocess=PreprocessConfig(64, 150))


def test_engine_that_was_not_exported_names_those_that_were(released):
    with pytest.raises(EngineError) as error:
        _open(released, "litert-int8")

    assert str(error.value) == (
        "Expected one of the engines of 'small': keras, litert, onnx, openvino. Received 'litert-int8'. "
        "Make one with: python -m dermascan_core export --help"
    )


def test_package_that_is_not_installed_is_named(released, monkeypatch):
    monkeypatch.setattr(exported_engines, "find_spec", lambda module: None)

    with pytest.raises(
        EngineError, match=r"needs the package onnxruntime\. It is not installed\. Use: pip install onnxru"
    ):
        _open(released, "onnx")


@pytest.mark.parametrize(
    ("difference", "n_steps", "expected"), [(9e-4, 0, True), (1.1e-3, 0, False), (1e-6, 1, False), (None, 0, False)]
)
def test_engine_answers_by_default_only_where_it_agrees(difference, n_steps, expected):
    agreement = {"max_probability_difference": difference, "n_next_steps_differing": n_steps}

    assert agrees({"agreement": agreement}) is expected


def test_engine_is_called_by_format_and_precision():
    assert [engine_name("litert", p) for p in ("float32", "float16")] == ["litert", "litert-float16"]
