"""The network's head in closed form: class logits and their gradients from pooled features, without a second pass.

The head is Dense-ReLU on [embedding, Dense-ReLU(metadata)], then Dense. Because the embedding is the feature map's
mean, the gradient behind Grad-CAM follows exactly from these few matrices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Head:
    """Weights of the three dense layers, (kernel, bias) each."""

    metadata_branch: tuple[Array, Array]
    fusion: tuple[Array, Array]
    logits_layer: tuple[Array, Array]

    @classmethod
    def of(cls, model: keras.Model) -> Head:
        """Read the head of a network built by ``dual_branch.build_dual_branch``."""
        kernels = (model.get_layer(name).get_weights() for name in ("metadata_branch", "fusion", "logits"))
        return cls(*((kernel, bias) for kernel, bias in kernels))

    def logits(self, embedding: Array, metadata: Array) -> Array:
        """Return class logits of shape (n, n_classes).

        Args:
            embedding: Pooled features (n, channels).
            metadata: Encoded metadata (n, width).
        """
        kernel, bias = self.logits_layer
        return np.asarray(np.maximum(self._before_fusion(embedding, metadata), 0) @ kernel + bias)

    def embedding_gradient(self, embedding: Array, metadata: Array, class_index: int) -> Array:
        """Return d logit[class_index] / d embedding, of shape (n, channels)."""
        is_open = self._before_fusion(embedding, metadata) > 0  # (n, units): ReLU passes the gradient here
        through = is_open * self.logits_layer[0][:, class_index]
        return np.asarray(through @ self.fusion[0][: embedding.shape[1]].T)

    def _before_fusion(self, embedding: Array, metadata: Array) -> Array:
        kernel, bias = self.metadata_branch
        answers = np.maximum(metadata @ kernel + bias, 0)
        return np.asarray(np.concatenate([embedding, answers], axis=1) @ self.fusion[0] + self.fusion[1])
