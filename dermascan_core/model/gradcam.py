"""Grad-CAM and Grad-CAM++ in closed form, averaged over the views that the answer averages."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from .head import Head
from .views import undo_view

Array = npt.NDArray[np.floating]


def grad_cam(feature_map: Array, embedding: Array, metadata: Array, head: Head, class_index: int) -> Array:
    """Return one heat map per view.

    The weight of a channel is the mean gradient of the class logit over the map. With a mean-pooled embedding that
    is the gradient with respect to the embedding, up to the map's size, which normalising takes out.

    Args:
        feature_map: Array (n, h, w, channels).
        embedding: Its mean over h and w, (n, channels).
        metadata: Encoded metadata (n, width).
        head: The network's head.
        class_index: Position of the class among the logits.

    Returns:
        Array (n, h, w), not negative, not normalised.

    Reference: Selvaraju et al. (2017), https://arxiv.org/abs/1610.02391
    """
    weights = head.embedding_gradient(embedding, metadata, class_index)  # (n, channels)
    return np.asarray(np.maximum(np.einsum("nhwc,nc->nhw", feature_map, weights), 0))


def grad_cam_plus_plus(feature_map: Array, embedding: Array, metadata: Array, head: Head, class_index: int) -> Array:
    """Return one Grad-CAM++ map per view: channels that speak for the class in a small place count more.

    Grad-CAM++ weighs each place (i, j) of channel k by ``a = D2 / (2 D2 + sum(A) D3)`` with D2, D3 the second and third
    derivative of ``exp(logit)``. The head is piecewise linear in the embedding, so with ``g = d logit / d embedding``,
    n places and the embedding ``e`` as the mean of the map these are ``exp(logit) (g/n)^2`` and ``exp(logit) (g/n)^3``
    everywhere, and ``a = 1 / (2 + e g)``. What is left of the channel's weight, up to a factor that normalising takes
    out, is ``max(g, 0) / (2 + e g)``: exact, with no pass through the network.

    Arguments and result as of ``grad_cam``.

    Reference: Chattopadhyay et al. (2018), https://arxiv.org/abs/1710.11063
    """
    gradient = head.embedding_gradient(embedding, metadata, class_index)  # (n, channels)
    denominator = 2 + embedding * gradient
    # Where the denominator vanishes (only where features can be negative) the article's code sets it to 1.
    weights = np.maximum(gradient, 0) / np.where(denominator == 0, 1, denominator)
    return np.asarray(np.maximum(np.einsum("nhwc,nc->nhw", feature_map, weights), 0))


METHODS = {"grad_cam": grad_cam, "grad_cam_plus_plus": grad_cam_plus_plus}


def average_heat_map(
    feature_map: Array, embedding: Array, metadata: Array, head: Head, class_index: int, *, method: str = "grad_cam"
) -> npt.NDArray[np.float32]:
    """Return one heat map (h, w) in [0, 1]: each view's map turned back upright, averaged, its maximum 1.

    An all-zero map (nothing speaks for the class) stays zero. ``method`` is a key of ``METHODS``.
    """
    maps = METHODS[method](feature_map, embedding, metadata, head, class_index)
    upright = np.mean([undo_view(one, view) for view, one in enumerate(maps)], axis=0)
    top = float(upright.max())
    return np.asarray(upright / top if top > 0 else upright, np.float32)


def joint_heat_map(maps: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Return the mean of several members' maps on the finest of their grids, its maximum 1 (or all zero)."""
    if len(maps) == 1:
        return maps[0]
    height, width = max((one.shape for one in maps), key=lambda shape: shape[0])
    joint = np.mean([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in maps], axis=0)
    top = float(joint.max())
    return np.asarray(joint / top if top > 0 else joint, np.float32)
