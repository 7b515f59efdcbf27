"""Where an ONNX engine runs: on the processor here, on TensorRT or CUDA where there is one."""

import numpy as np
import pytest

from dermascan_core.model.exported_engines import open_engine
from dermascan_core.model.keras_engine import KerasEngine
from dermascan_core.model.onnx_engine import PROVIDERS, available_providers
from dermascan_core.services.engine_export import export_engine
from dermascan_core.services.models import load_model_manifest
from tests.small_network import random_squares, release_small_network

GPU = [name for name in available_providers() if name != "CPUExecutionProvider"]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    release_small_network(folder)
    return folder, export_engine("small", format="onnx", weights_dir=folder)


def test_providers_are_tried_the_fastest_first():
    assert list(PROVIDERS) == ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]


def test_record_says_on_which_provider_the_engine_was_compared(released):
    _, record = released

    assert record["provider"] in PROVIDERS
    if not GPU:
        assert record["provider"] == "CPUExecutionProvider"


@pytest.mark.skipif(
    not GPU,
    reason="NOT TESTED HERE: TensorRT and CUDA. This ONNX Runtime has neither; install onnxruntime-gpu where there is a GPU.",
)
@pytest.mark.parametrize("provider", GPU or ["none"])
def test_gpu_gives_keras_answers(released, provider, monkeypatch):
    folder, _ = released
    manifest = load_model_manifest("small", folder)
    weights = folder / "small.keras"
    monkeypatch.setattr("dermascan_core.model.onnx_engine.PROVIDERS", {provider: PROVIDERS[provider]})
    images = random_squares(8).astype(np.float32)

    engine = open_engine(manifest, weights, "onnx")
    reference = KerasEngine.load(manifest, weights)
    answers = np.zeros((8, reference._model.inputs[1].shape[1]), np.float32)

    assert engine.provider == provider
    np.testing.assert_allclose(engine.run(images, answers)[0][0], reference.run(images, answers)[0][0], atol=1e-3)
