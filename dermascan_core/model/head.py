"""The network's head in closed form: class logits and their gradients from pooled features, without a second pass.

The head is Dense-ReLU on the image features as the answers left them, then Dense. Because the embedding is the feature
map's mean, and the answers act channel by channel, the gradient behind Grad-CAM follows exactly from these few matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .dual_branch import GATE_TOP

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[np.floating]
Dense = tuple[Array, Array]  # kernel, bias


@dataclass(frozen=True, slots=True)
class Head:
    """Weights of the dense layers after the image branch, (kernel, bias) each.

    Attributes:
        metadata_branch: Of the answers; None where the image answers alone.
        fusion: Of the layer that sees image features and answers.
        logits_layer: Of the last layer.
        gate: Answers -> a factor in (0, 2) for each channel, where the network has one.
        film: Answers -> factors, and answers -> shifts, where the network has them.
    """

    metadata_branch: Dense | None
    fusion: Dense
    logits_layer: Dense
    gate: Dense | None = None
    film: tuple[Dense, Dense] | None = None

    @classmethod
    def of(cls, model: keras.Model) -> Head:
        """Read the head of a network built by ``dual_branch.build_dual_branch``."""
        names = {layer.name for layer in model.layers}

        def dense(name: str) -> Dense:
            kernel, bias = model.get_layer(name).get_weights()
            return kernel, bias

        return cls(
            metadata_branch=dense("metadata_branch") if "metadata_branch" in names else None,
            fusion=dense("fusion"),
            logits_layer=dense("logits"),
            gate=dense("gate") if "gate" in names else None,
            film=(dense("film_scale"), dense("film_shift")) if "film_scale" in names else None,
        )

    def logits(self, embedding: Array, metadata: Array) -> Array:
        """Return class logits of shape (n, n_classes).

        Args:
            embedding: Pooled features (n, channels).
            metadata: Encoded metadata (n, width).
        """
        return np.asarray(_apply(self.logits_layer, np.maximum(self._before_fusion(embedding, metadata), 0)))

    def embedding_gradient(self, embedding: Array, metadata: Array, class_index: int) -> Array:
        """Return d logit[class_index] / d embedding, of shape (n, channels)."""
        is_open = self._before_fusion(embedding, metadata) > 0  # (n, units): ReLU passes the gradient here
        through = is_open * self.logits_layer[0][:, class_index]
        gradient = through @ self.fusion[0][: embedding.shape[1]].T  # with respect to the features that fusion sees
        return np.asarray(gradient * self._factor(self._answers(metadata)))

    def _before_fusion(self, embedding: Array, metadata: Array) -> Array:
        answers = self._answers(metadata)
        features = embedding * self._factor(answers)
        if self.film is not None:
            features = features + _apply(self.film[1], answers)
        elif self.gate is None and self.metadata_branch is not None:
            features = np.concatenate([features, answers], axis=1)
        return _apply(self.fusion, features)

    def _answers(self, metadata: Array) -> Array:
        return metadata if self.metadata_branch is None else np.maximum(_apply(self.metadata_branch, metadata), 0)

    def _factor(self, answers: Array) -> Array:
        """What the answers multiply each channel by: (n, channels), or 1."""
        if self.gate is not None:
            return np.asarray(GATE_TOP / (1 + np.exp(-_apply(self.gate, answers))))
        if self.film is not None:
            return _apply(self.film[0], answers)
        return np.ones(1, self.fusion[0].dtype)


def _apply(layer: Dense, values: Array) -> Array:
    kernel, bias = layer
    return np.asarray(values @ kernel + bias)
