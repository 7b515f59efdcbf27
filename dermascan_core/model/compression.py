"""Smaller kernels: weights left out, weights that share few values, and rounding that keeps what a kernel adds up to.

Pure functions of arrays. ``export`` rounds with them, ``services.compression`` measures what each costs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import keras

Array = npt.NDArray[np.floating]
_N_ROUNDS = 30  # of k-means; the values hardly move after ten
INT8_TOP = 127  # LiteRT keeps kernels symmetric: -127 to 127, the largest weight of a channel at one end


def prune_kernel(kernel: Array, share: float) -> Array:
    """Set the smallest weights of a kernel to zero.

    Args:
        kernel: Any shape.
        share: Of its weights that become zero, in [0, 1), rounded down to whole weights. Of equal ones the first go first.

    Raises:
        ValueError: If the share is out of range.

    Reference: Han et al. (2015), https://arxiv.org/abs/1506.02626

    >>> prune_kernel(np.array([[0.1, -3.0], [2.0, -0.2]]), 0.5).tolist()
    [[0.0, -3.0], [2.0, 0.0]]
    """
    if not 0 <= share < 1:
        raise ValueError(f"Invalid value received for argument `share`. Expected [0, 1). Received: {share}")
    flat = kernel.ravel().copy()
    flat[np.argsort(np.abs(flat), kind="stable")[: int(share * flat.size)]] = 0
    return flat.reshape(kernel.shape)


def cluster_kernel(kernel: Array, n_values: int) -> Array:
    """Let the weights of a kernel share few values: each takes the nearest of the values that k-means finds.

    The values start evenly spaced from the smallest to the largest weight, so that the rare large weights, which matter most,
    have values near them.

    Args:
        kernel: Any shape.
        n_values: How many different values there may be, at least 2.

    Raises:
        ValueError: If there are fewer than 2.

    Reference: Han et al. (2016), https://arxiv.org/abs/1510.00149, section 3

    >>> cluster_kernel(np.array([0.0, 0.2, 1.0, 1.2]), 2).round(6).tolist()
    [0.1, 0.1, 1.1, 1.1]
    """
    if n_values < 2:
        raise ValueError(f"Invalid value received for argument `n_values`. Expected at least 2. Received: {n_values}")
    flat = kernel.ravel().astype(np.float64)
    values = np.linspace(flat.min(), flat.max(), n_values)
    for _ in range(_N_ROUNDS):
        nearest = np.searchsorted((values[1:] + values[:-1]) / 2, flat)
        n_near = np.bincount(nearest, minlength=n_values)
        means = np.bincount(nearest, flat, minlength=n_values) / np.maximum(n_near, 1)
        moved = np.where(n_near > 0, means, values)  # a value that no weight is near stays where it is
        if np.array_equal(moved, values):
            break
        values = moved
    nearest = np.searchsorted((values[1:] + values[:-1]) / 2, flat)
    return values[nearest].reshape(kernel.shape).astype(kernel.dtype)


def round_keeping_sums(kernel: Array) -> Array:
    """Round a depthwise kernel to the 255 steps that int8 has, so that each channel's taps add up to what they did.

    A kernel that finds edges has large taps that nearly cancel. Rounded one by one they no longer do, and the plain colour of
    skin, which meets every tap alike, comes out as an edge everywhere. Here the taps whose rounding was the closest call go
    the other way until the sum is right to half a step. The largest tap, which decides the step, stays.

    Args:
        kernel: Array (height, width, channels, multiplier).

    Returns:
        The same shape, on the grid that LiteRT's own rounding then leaves alone.
    """
    height, width, *channels = kernel.shape
    taps = np.asarray(kernel, np.float64).reshape(height * width, -1)  # (taps, channels)
    top = np.abs(taps).max(axis=0)
    step = np.where(top > 0, top, 1) / INT8_TOP
    exact = taps / step
    rounded = np.round(exact)
    for channel in range(taps.shape[1]):
        _mend_sum(rounded[:, channel], exact[:, channel])
    return np.asarray((rounded * step).reshape(height, width, *channels), kernel.dtype)


def _mend_sum(rounded: npt.NDArray[np.float64], exact: npt.NDArray[np.float64]) -> None:
    excess = int(np.round(rounded.sum() - exact.sum()))
    sign = np.sign(excess)
    moved_away = (rounded - exact) * sign  # how far each was rounded towards the excess
    moved_away[np.argmax(np.abs(exact))] = -np.inf
    for tap in np.argsort(-moved_away, kind="stable")[: min(abs(excess), len(exact) - 1)]:
        rounded[tap] -= sign


@contextmanager
def depthwise_sums_kept(model: keras.Model) -> Iterator[int]:
    """Round every depthwise kernel by ``round_keeping_sums``, its own networks' too; at the end all is as before.

    Batch normalisation behind them multiplies whole channels when it is folded in, so the steps stay the same steps.

    Args:
        model: Changed in place.

    Yields:
        How many kernels were rounded.
    """
    kernels = list(_depthwise_kernels(model))
    before = [np.asarray(kernel) for kernel in kernels]
    try:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(round_keeping_sums(values))
        yield len(kernels)
    finally:
        for kernel, values in zip(kernels, before, strict=True):
            kernel.assign(values)


def _depthwise_kernels(model: Any) -> Iterator[Any]:
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _depthwise_kernels(layer)
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            yield layer.kernel
        elif isinstance(layer, keras.layers.SeparableConv2D):
            yield layer.depthwise_kernel
