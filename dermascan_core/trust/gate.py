"""Whether the network has seen anything like this photo: distances and a small classifier on its image features.

Colour and texture rules (``imaging.skin``) cannot tell wood or a cat from skin; the network's own features can. A photo
that is unlike every class it learnt, or more like pictures that show no lesion, is refused before any class is shown.
Fitting lies in ``training.gate``; how many it refuses in docs/refusals.md.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Reason
from ..errors import WeightsError

Array = npt.NDArray[np.floating]
KINDS = ("dermoscopic", "clinical", "other")
REASONS = {
    "not_a_lesion": "The model does not recognise a skin lesion in this photo. Put the spot in the middle with a little skin "
    "around it, and take it again.",
    "unlike_training": "This photo is unlike those that the model learnt from, so its answer would be a guess. Take it again "
    "in daylight, straight from above, without any filter.",
}


@dataclass(frozen=True, slots=True)
class Gate:
    """What was fitted for one model.

    Attributes:
        sha256: Of the weights whose features these are.
        centre, directions: (d,) and (d, p): features to p whitened coordinates (unit spread within a class).
        class_means: (n_classes, p), of the photos that the network learnt from.
        weights, bias: (p, 3) and (3,): logits of ``KINDS``.
        max_distance: Refused above this distance to the nearest class, for each of the first two kinds (2,).
        max_other: Refused above this probability of ``other``, for each of the first two kinds (2,).
    """

    sha256: str
    centre: Array
    directions: Array
    class_means: Array
    weights: Array
    bias: Array
    max_distance: Array
    max_other: Array

    def judge(self, embedding: Array, image_type: ImageType | None) -> GateScores:
        """Say how far a photo is from what the network knows.

        Args:
            embedding: Image features (d,), as ``PhotoOutput.embedding``.
            image_type: What the person said took the photo; None counts as dermoscopic, the stricter.

        Raises:
            ValueError: If the features are not those of this model.
        """
        if embedding.shape != self.centre.shape:
            raise ValueError(
                f"Invalid value received for argument `embedding`. Expected shape {self.centre.shape}. "
                f"Received: {embedding.shape}"
            )
        place = (embedding - self.centre) @ self.directions  # (p,)
        distance = float(np.sqrt(((self.class_means - place) ** 2).sum(axis=1).min() / len(place)))
        logits = place @ self.weights + self.bias
        shares = np.exp(logits - logits.max())
        shares /= shares.sum()
        kind = 1 if image_type is ImageType.CLINICAL else 0
        return GateScores(
            distance=distance,
            p_dermoscopic=float(shares[0]),
            p_clinical=float(shares[1]),
            p_other=float(shares[2]),
            max_distance=float(self.max_distance[kind]),
            max_other=float(self.max_other[kind]),
        )


@dataclass(frozen=True, slots=True)
class GateScores:
    """How far one photo is from what the network knows.

    Attributes:
        distance: To the nearest class, in standard deviations a coordinate; about 1 for a photo like those learnt from.
        p_dermoscopic, p_clinical, p_other: What kind of picture it looks like; they sum to 1.
        max_distance, max_other: The limits that hold for it.
    """

    distance: float
    p_dermoscopic: float
    p_clinical: float
    p_other: float
    max_distance: float
    max_other: float

    @property
    def refusal(self) -> Reason | None:
        """Why no class may be shown; None where one may."""
        if self.p_other > self.max_other:
            return Reason("not_a_lesion", REASONS["not_a_lesion"])
        if self.distance > self.max_distance:
            return Reason("unlike_training", REASONS["unlike_training"])
        return None

    def looks_like(self) -> ImageType:
        """Which of the two kinds of lesion photo it looks like."""
        return ImageType.DERMOSCOPIC if self.p_dermoscopic >= self.p_clinical else ImageType.CLINICAL


def gate_file(weights: Path) -> Path:
    """Return where the gate of a weights file lies: ``NAME.gate.npz`` beside ``NAME.keras``."""
    return weights.with_suffix(".gate.npz")


def gate_bytes(gate: Gate) -> bytes:
    """Return a gate as an ``.npz`` file, in float32."""
    arrays: dict[str, Any] = {f.name: np.asarray(getattr(gate, f.name)) for f in fields(Gate)}
    numbers = {name: array.astype(np.float32) for name, array in arrays.items() if name != "sha256"}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **(arrays | numbers))
    return buffer.getvalue()


def read_gate(path: Path, *, sha256: str) -> Gate | None:
    """Read the gate of a weights file; None where none ships with it.

    Raises:
        WeightsError: If it cannot be read, or was fitted for other weights: answering without it would answer for cats.
    """
    if not path.is_file():
        return None
    try:
        # From memory: numpy leaves a file open that is no archive.
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
            values: dict[str, Any] = {f.name: stored[f.name] for f in fields(Gate)}
            gate = Gate(**(values | {"sha256": str(values["sha256"])}))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"Expected the gate of the model in '{path.name}'. It cannot be read: {error}. Restore it from the release."
        ) from error
    if gate.sha256 != sha256:
        raise WeightsError(
            f"The gate '{path.name}' was fitted for the weights {gate.sha256[:12]}; the model's are {sha256[:12]}. "
            "Restore both from one release, or fit it again: python -m dermascan_core gate --help"
        )
    return gate
