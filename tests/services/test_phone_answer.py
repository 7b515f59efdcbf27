"""The script for a phone against the app's own predictor, on the same square, and the words it prints."""

import ast
import importlib.util
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from dermascan_core.domain import Metadata, NextStep
from dermascan_core.imaging.crop import centre_crop
from dermascan_core.imaging.decode import read_photo
from dermascan_core.imaging.preprocess import preprocess
from dermascan_core.model.checkpoint import load_weights
from dermascan_core.model.ensemble import join_members
from dermascan_core.model.export import export_network
from dermascan_core.model.exported_engines import open_engine
from dermascan_core.model.keras_engine import KerasEngine
from dermascan_core.model.litert_engine import LiteRTEngine
from dermascan_core.model.litert_file import packed_files
from dermascan_core.model.metadata_branch import MetadataEncoder
from dermascan_core.model.predictor import EnginePredictor
from dermascan_core.services.engine_export import export_engine
from dermascan_core.services.models import load_model_manifest
from dermascan_core.services.phone_files import phone_files
from dermascan_core.triage.policy import step_from_model
from tests.contract.tree import ROOT
from tests.fakes import fake_photo, photo_bytes
from tests.small_network import SIDE_PX, build_small_network, random_squares, release_small_network
from tests.triage.test_forbidden_words import FORBIDDEN

SCRIPT = ROOT / "docs" / "phone" / "answer.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("phone_answer", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["phone_answer"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    release_small_network(folder)
    export_engine("small", format="litert", weights_dir=folder)
    return folder


def _predictor(folder):
    manifest = load_model_manifest("small", folder)
    return EnginePredictor(manifest, open_engine(manifest, folder / "small.keras", "litert"))


@pytest.mark.parametrize("told", [Metadata(), Metadata(age_approx=70, sex="female")])
def test_script_answers_as_the_app_on_the_same_square(script, released, told):
    squares = random_squares(3, seed=5)
    predictor = _predictor(released)
    encoded = MetadataEncoder(predictor.manifest.metadata_fields).encode([told])[0]

    for square in squares:
        expected = predictor.predict(square[np.newaxis], [told])[0].prediction
        found = script.answer_square(released / "small.tflite", square, None if told == Metadata() else encoded)

        np.testing.assert_allclose(list(found.probabilities.values()), expected.ham_probabilities, atol=1e-5)
        assert found.p_malignant == pytest.approx(expected.p_malignant, abs=1e-5)
        assert (found.first, found.is_above_threshold) == (expected.predicted, expected.is_above_threshold)
        assert set(found.set_90) == set(expected.set_90)


def test_square_of_a_photo_is_nearly_the_app_s_centre_square(script, released, tmp_path):
    data = photo_bytes(fake_photo(width=1200, height=900), quality=95)
    (tmp_path / "mole.jpg").write_bytes(data)
    config = load_model_manifest("small", released).preprocess
    rgb = read_photo(tmp_path / "mole.jpg")

    found = script.read_square(tmp_path / "mole.jpg", script.read_description(released / "small.tflite"))

    expected = preprocess(rgb, config, crop=centre_crop(rgb))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected.astype(int)).mean() < 2


def test_file_carries_labels_in_the_order_of_the_logits(released):
    manifest = load_model_manifest("small", released)

    files = packed_files(released / "small.tflite")

    assert sorted(files) == ["NOTICE.txt", "labels.txt", "model.json"]
    assert tuple(files["labels.txt"].decode().split()) == manifest.codes
    described = json.loads(files["model.json"])
    assert list(described["ham_code_of"]) == list(manifest.codes)
    assert (described["threshold"], described["sha256"]) == (manifest.threshold, manifest.sha256)
    assert files["NOTICE.txt"].decode().startswith("Not a medical device. Not a diagnosis.")


def test_script_imports_nothing_of_ours():
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(SCRIPT.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
    }

    assert imported - set(sys.stdlib_module_names) == {"numpy", "PIL", "ai_edge_litert"}


@pytest.mark.parametrize("options", [[], ["--dermatoscope"]])
def test_script_runs_alone_and_says_what_safety_demands(released, tmp_path, options):
    (tmp_path / "mole.jpg").write_bytes(photo_bytes(fake_photo()))
    command = [sys.executable, str(SCRIPT), str(released / "small.tflite"), str(tmp_path / "mole.jpg"), *options]

    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)

    assert done.stdout.startswith(
        "Not a medical device. Not a diagnosis. A low result does not rule out skin cancer.\n"
    )
    assert ("Not tested on phone photos." in done.stdout) == (not options)
    for sentence in (
        "see a doctor if the spot changes",
        "under 18",
        "Left out here",
        "It is not your chance of cancer.",
    ):
        assert sentence in done.stdout
    told = re.sub("(pigmented )?benign keratos[ie]s", "", done.stdout)
    assert [pattern for pattern in FORBIDDEN if re.search(pattern, told, re.IGNORECASE)] == []


@pytest.mark.parametrize(("first", "p_malignant"), [("nv", 0.01), ("nv", 0.99), ("mel", 0.01)])
def test_photo_without_a_dermatoscope_is_never_calm(script, released, first, p_malignant):
    description = script.read_description(released / "small.tflite")
    answer = script.Answer(
        dict.fromkeys(description["ham_codes"], 0.1), p_malignant, first, p_malignant > 0.5, (first,)
    )

    by_phone = script.describe(answer, description, is_dermoscopic=False)
    by_dermatoscope = script.describe(answer, description, is_dermoscopic=True)

    assert description["words"]["below"] not in by_phone
    assert (description["words"]["below"] in by_dermatoscope) == (first == "nv" and p_malignant < 0.5)
    assert (description["words"]["above"] in by_phone) == (description["words"]["above"] in by_dermatoscope)


def test_photo_that_is_too_small_is_one_sentence(script, released, tmp_path):
    (tmp_path / "mole.png").write_bytes(photo_bytes(fake_photo(width=100, height=100), "PNG"))

    with pytest.raises(SystemExit, match=r"^Expected a photo with a short side of 128 px or more"):
        script.read_square(tmp_path / "mole.png", script.read_description(released / "small.tflite"))


@pytest.mark.parametrize("content", [b"", b"no photo", b"\xff\xd8\xff\xe0 torn", b"GIF89a" + bytes(50)])
def test_file_that_is_no_photo_is_one_sentence(script, released, tmp_path, content):
    (tmp_path / "mole.jpg").write_bytes(content)

    with pytest.raises(SystemExit, match=r"^Expected a JPEG, PNG or WebP photo\. '.*mole\.jpg' cannot be read: "):
        script.read_square(tmp_path / "mole.jpg", script.read_description(released / "small.tflite"))


@pytest.mark.parametrize("content", [None, b"", b"TFL3 alone"])
def test_model_without_its_files_is_one_sentence(script, tmp_path, content):
    path = tmp_path / "old.tflite"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(
        SystemExit, match=r"^Expected a \.tflite file with model\.json packed behind the network\. Received"
    ):
        script.read_description(path)


def test_script_answers_as_the_app_with_whole_numbers_too(script, released, tmp_path):
    manifest = load_model_manifest("small", released)
    model = load_weights(manifest, released / "small.keras")
    squares = random_squares(9, seed=8)
    told = MetadataEncoder(manifest.metadata_fields).encode([Metadata()] * 8)
    (path,) = export_network(
        model,
        tmp_path / "small.keras",
        format="litert",
        precision="integer",
        calibration=(squares[:8].astype(np.float32), told),
        packed=phone_files(manifest),
    )
    predictor = EnginePredictor(manifest, LiteRTEngine(path, manifest, KerasEngine(model).heads))

    expected = predictor.predict(squares[8:], [Metadata()])[0].prediction
    found = script.answer_square(path, squares[8])

    np.testing.assert_allclose(list(found.probabilities.values()), expected.ham_probabilities, atol=1e-5)


def test_model_of_several_members_is_averaged_as_in_the_app(script, released, tmp_path):
    manifest = load_model_manifest("small", released)
    joined = join_members([build_small_network(seed=1), build_small_network(seed=2)], input_px=SIDE_PX)
    (path,) = export_network(joined, tmp_path / "two.keras", format="litert", packed=phone_files(manifest))
    predictor = EnginePredictor(manifest, LiteRTEngine(path, manifest, KerasEngine(joined).heads))
    square = random_squares(1, seed=9)

    expected = predictor.predict(square, [Metadata()])[0].prediction
    found = script.answer_square(path, square[0])

    np.testing.assert_allclose(list(found.probabilities.values()), expected.ham_probabilities, atol=1e-5)


def test_cancer_that_stays_possible_is_never_calm(script, released):
    description = script.read_description(released / "small.tflite")
    answer = script.Answer(dict.fromkeys(description["ham_codes"], 0.1), 0.01, "nv", False, ("bcc", "nv"))

    told = script.describe(answer, description, is_dermoscopic=True)

    assert description["words"]["possible"] in told
    assert description["words"]["below"] not in told
    assert "Stay possible: Basal cell carcinoma (a skin cancer); Mole (nevus)" in told


@pytest.mark.parametrize("seed", range(6))
def test_script_is_never_calmer_than_the_app_on_the_same_square(script, released, seed):
    square = random_squares(1, seed=seed)
    description = script.read_description(released / "small.tflite")
    prediction = _predictor(released).predict(square, [Metadata()])[0].prediction

    told = script.describe(script.answer_square(released / "small.tflite", square[0]), description, is_dermoscopic=True)

    if step_from_model(prediction, None).urgency >= NextStep.SEE_DOCTOR.urgency and not prediction.is_unsure:
        assert description["words"]["below"] not in told
