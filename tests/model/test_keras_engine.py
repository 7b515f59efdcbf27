"""The gradient that robustness is tested with, against finite differences."""

import numpy as np
import pytest

from dermascan_core.model.dual_branch import serving_model
from dermascan_core.model.keras_engine import KerasEngine


def test_gradient_agrees_with_finite_differences(tiny_network, tiny_manifest):
    engine = KerasEngine(serving_model(tiny_network))
    side = tiny_manifest.preprocess.input_px
    rng = np.random.default_rng(0)
    image = rng.uniform(60, 200, (1, side, side, 3)).astype(np.float32)
    width = tiny_network.inputs[1].shape[1]
    answers = np.zeros((1, width), np.float32)
    target = np.zeros(tiny_network.outputs[0].shape[-1])
    target[0] = 1

    gradient = engine.input_gradient(image, answers, target)

    def score(moved):
        logits = engine.run(moved, answers)[0][0][0].astype(np.float64)
        return logits[0] - np.log(np.exp(logits - logits.max()).sum()) - logits.max()

    # A short step along the gradient itself: further away the network bends.
    direction = gradient / np.linalg.norm(gradient)
    step = 0.5
    slope = (score(image + step * direction) - score(image - step * direction)) / (2 * step)
    assert gradient.shape == image.shape
    assert slope == pytest.approx(float((gradient * direction).sum()), rel=0.05)
