"""Pruning, clustering and rounding against slow second writings, and rounding inside a network."""

import numpy as np
import pytest
from sklearn.cluster import KMeans

from dermascan_core.model.compression import (
    cluster_kernel,
    depthwise_sums_kept,
    prune_kernel,
    round_keeping_sums,
)


def _kernel(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def prune_slowly(kernel, share):
    """Zero one weight at a time, the smallest that is left."""
    pruned = [float(w) for w in kernel.ravel()]
    left = list(range(len(pruned)))
    for _ in range(int(share * len(pruned))):
        smallest = min(left, key=lambda place: abs(pruned[place]))
        left.remove(smallest)
        pruned[smallest] = 0.0
    return np.array(pruned, np.float32).reshape(kernel.shape)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99])
def test_pruning_equals_zeroing_the_smallest_one_by_one(share):
    kernel = _kernel(3, 3, 4, 5)

    np.testing.assert_array_equal(prune_kernel(kernel, share), prune_slowly(kernel, share))


def test_pruning_equal_weights_takes_as_many_as_asked():
    pruned = prune_kernel(np.ones((4, 5)), 0.5)

    assert (pruned == 0).sum() == 10


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match=r"^Invalid value received for argument `share`\. Expected \[0, 1\)\."):
        prune_kernel(_kernel(2, 2), share)


@pytest.mark.parametrize("n_values", [2, 4, 16])
def test_clustering_agrees_with_scikit_learn_from_the_same_start(n_values):
    kernel = _kernel(20, 30, seed=2).astype(np.float64)
    start = np.linspace(kernel.min(), kernel.max(), n_values)[:, np.newaxis]
    found = KMeans(n_values, init=start, n_init=1, max_iter=30, tol=0, algorithm="lloyd").fit(kernel.reshape(-1, 1))

    clustered = cluster_kernel(kernel, n_values)

    expected = found.cluster_centers_[found.labels_].reshape(kernel.shape)
    assert len(np.unique(clustered)) <= n_values
    np.testing.assert_allclose(clustered, expected, atol=1e-9)


def test_kernel_with_fewer_values_than_asked_stays_as_it_is():
    kernel = np.array([[1.0, -1.0], [0.0, 1.0]], np.float32)

    np.testing.assert_allclose(cluster_kernel(kernel, 16), kernel, atol=1e-7)


def test_kernel_of_one_value_clusters_to_itself():
    np.testing.assert_array_equal(cluster_kernel(np.full((3, 3), 0.25), 4), np.full((3, 3), 0.25))


def test_one_value_is_refused():
    with pytest.raises(ValueError, match=r"^Invalid value received for argument `n_values`\. Expected at least 2\."):
        cluster_kernel(_kernel(2, 2), 1)


def nearest_of_all(taps):
    """Of all ways to round each tap up or down with the sum right to half a step, the one with the least squared error."""
    step = np.abs(taps).max() / 127
    exact = taps / step
    top = np.argmax(np.abs(exact))
    best = None
    for choice in range(2 ** len(taps)):
        rounded = np.array([np.floor(x) + (choice >> i & 1) for i, x in enumerate(exact)])
        rounded[top] = np.round(exact[top])
        if abs(rounded.sum() - exact.sum()) <= 0.5 + 1e-9:
            error = ((rounded - exact) ** 2).sum()
            if best is None or error < best[0] - 1e-12:
                best = error, rounded * step
    return best[1]


@pytest.mark.parametrize("seed", range(8))
def test_rounding_keeps_sums_with_the_least_error_of_all_roundings(seed):
    kernel = _kernel(3, 3, 1, 1, seed=seed)

    rounded = round_keeping_sums(kernel)

    np.testing.assert_allclose(rounded.ravel(), nearest_of_all(kernel.ravel()), atol=1e-6)


def test_edge_finder_stays_blind_to_a_plain_colour():
    step = 52.4 / 127
    taps = np.array([127, 0, 0, -42.4, -42.3, -42.3, 0, 0, 0]) * step  # they cancel
    kernel = taps.reshape(3, 3, 1, 1)

    rounded = round_keeping_sums(kernel)

    assert np.round(taps / step).sum() == 1  # tap by tap they would not
    assert rounded.sum() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(rounded / step, np.round(rounded / step), atol=1e-9)
    assert np.abs(rounded).max() == pytest.approx(52.4)


def test_channels_and_multipliers_round_on_their_own():
    kernel = _kernel(3, 3, 4, 2) * np.array([1, 100, 0.01, 0])[:, np.newaxis]

    together = round_keeping_sums(kernel)

    for channel in range(4):
        for place in range(2):
            alone = round_keeping_sums(kernel[:, :, channel : channel + 1, place : place + 1])
            np.testing.assert_array_equal(together[:, :, channel, place], alone[:, :, 0, 0])


def test_network_has_its_own_kernels_back_even_after_a_failure():
    import keras

    inner = keras.Sequential(
        [keras.Input((8, 8, 2)), keras.layers.DepthwiseConv2D(3), keras.layers.SeparableConv2D(4, 3)]
    )
    model = keras.Sequential([keras.Input((8, 8, 2)), inner])
    before = [np.asarray(weight) for weight in model.weights]

    def fail_inside():
        with depthwise_sums_kept(model) as n_rounded:
            assert n_rounded == 2
            changed = [not np.array_equal(np.asarray(w), b) for w, b in zip(model.weights, before, strict=True)]
            assert changed == [True, False, True, False, False]
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail_inside()

    for weight, values in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), values)
