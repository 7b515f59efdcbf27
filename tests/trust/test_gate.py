"""The gate judges by distance and by kind, and belongs to one weights file."""

import re
from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.domain import ImageType
from dermascan_core.errors import WeightsError
from dermascan_core.trust.gate import REASONS, Gate, gate_bytes, gate_file, read_gate

# Two features; classes at (0, 0) and (4, 0); other pictures lie far along the second.
GATE = Gate(
    sha256="a" * 64,
    centre=np.zeros(2),
    directions=np.eye(2),
    class_means=np.array([[0.0, 0.0], [4.0, 0.0]]),
    weights=np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.0]]),
    bias=np.array([4.0, 0.0, 0.0]),
    max_distance=np.array([2.0, np.inf]),
    max_other=np.array([0.8, 0.9]),
)


def test_photo_near_a_class_is_let_through():
    scores = GATE.judge(np.array([4.0, 1.0]), ImageType.DERMOSCOPIC)

    assert scores.refusal is None
    assert scores.distance == pytest.approx(1 / np.sqrt(2))
    assert scores.looks_like() is ImageType.DERMOSCOPIC


def test_picture_of_something_else_is_no_lesion():
    scores = GATE.judge(np.array([0.0, 4.0]), None)

    assert scores.p_other == pytest.approx(np.exp(8) / (np.exp(8) + np.exp(4) + 1))
    assert scores.refusal is not None
    assert str(scores.refusal) == f"not_a_lesion: {REASONS['not_a_lesion']}"


def test_photo_far_from_every_class_is_unlike_the_training():
    scores = GATE.judge(np.array([9.0, 0.0]), ImageType.DERMOSCOPIC)

    assert scores.refusal is not None
    assert scores.refusal.code == "unlike_training"
    assert GATE.judge(np.array([9.0, 0.0]), ImageType.CLINICAL).refusal is None  # no limit is known there


def test_features_of_another_model_are_a_programming_mistake():
    with pytest.raises(ValueError, match=re.escape("Expected shape (2,). Received: (3,)")):
        GATE.judge(np.zeros(3), None)


def test_gate_comes_back_from_its_file_and_judges_alike(tmp_path):
    path = gate_file(tmp_path / "net.keras")
    path.write_bytes(gate_bytes(GATE))

    found = read_gate(path, sha256="a" * 64)

    assert path.name == "net.gate.npz"
    assert found is not None
    point = np.array([1.0, 2.5])
    assert found.judge(point, None).distance == pytest.approx(GATE.judge(point, None).distance)
    assert found.judge(point, None).p_other == pytest.approx(GATE.judge(point, None).p_other)


def test_model_without_a_gate_has_none(tmp_path):
    assert read_gate(tmp_path / "net.gate.npz", sha256="a" * 64) is None


def test_gate_of_other_weights_is_refused_with_both_named(tmp_path):
    path = tmp_path / "net.gate.npz"
    path.write_bytes(gate_bytes(replace(GATE, sha256="b" * 64)))

    with pytest.raises(WeightsError, match="was fitted for the weights bbbbbbbbbbbb; the model's are aaaaaaaaaaaa"):
        read_gate(path, sha256="a" * 64)


@pytest.mark.parametrize("keep", [0, 10, 400])
def test_truncated_gate_is_one_sentence(tmp_path, keep):
    path = tmp_path / "net.gate.npz"
    path.write_bytes(gate_bytes(GATE)[:keep])

    with pytest.raises(WeightsError, match=r"Expected the gate of the model in 'net\.gate\.npz'\. It cannot be read"):
        read_gate(path, sha256="a" * 64)
