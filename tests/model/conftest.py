"""One small untrained network, built once for all tests of the model room."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dermascan_core.imaging.preprocess import PreprocessConfig
from tests.fakes import CODES, fake_manifest

SIDE_PX = 64


@pytest.fixture(scope="session")
def tiny_network() -> Any:
    """An untrained MobileNetV2 dual branch at 64 px, without metadata dropout effects."""
    import keras

    from dermascan_core.model.dual_branch import build_dual_branch
    from dermascan_core.model.metadata_branch import MetadataEncoder

    keras.utils.set_random_seed(1)
    width = MetadataEncoder().width
    network = build_dual_branch(
        "mobilenet_v2", input_px=SIDE_PX, metadata_width=width, n_classes=len(CODES), pretrained=None
    )
    # Untrained moving statistics let features fade to 1e-12; passes in training mode make them of order one.
    rng = np.random.default_rng(1)
    layers = [m for m in network.get_layer("backbone").layers if isinstance(m, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.momentum = 0.2
    for _ in range(4):
        network([rng.uniform(0, 255, (4, SIDE_PX, SIDE_PX, 3)).astype("float32"), np.zeros((4, width))], training=True)
    return network


@pytest.fixture(scope="session")
def tiny_manifest() -> Any:
    """The manifest of ``tiny_network``."""
    return fake_manifest(name="tiny", preprocess=PreprocessConfig(SIDE_PX, 150))


@pytest.fixture(scope="session")
def tiny_predictor(tiny_network: Any, tiny_manifest: Any) -> Any:
    """A predictor over the Keras engine with ``tiny_network``."""
    from dermascan_core.model.dual_branch import serving_model
    from dermascan_core.model.keras_engine import KerasEngine
    from dermascan_core.model.predictor import EnginePredictor

    return EnginePredictor(tiny_manifest, KerasEngine(serving_model(tiny_network)))
