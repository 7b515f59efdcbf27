"""How often an epoch draws each class: the one arithmetic of the sampler, of the data sheet and of the pages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Shares = npt.NDArray[np.float64]


def sampling_shares(class_shares: npt.NDArray[np.floating], balance: float) -> Shares:
    """Return how often each class is drawn: its share to the power ``1 - balance``, normalised.

    Args:
        class_shares: Shares in the data, shape (n_classes,), summing to 1.
        balance: 0 keeps the data's mix, 1 draws every class equally often.

    >>> sampling_shares(np.array([0.8, 0.2]), 1.0).tolist()
    [0.5, 0.5]
    """
    weights = np.power(np.asarray(class_shares, np.float64), 1 - balance)
    return np.asarray(weights / weights.sum())


def draws_per_class(class_counts: npt.NDArray[np.floating], *, balance: float, class_floor: int) -> Shares:
    """Return how many photos of each class an epoch draws, not always whole.

    As many draws as there are photos, shared out by ``sampling_shares``; then every class that has photos is raised to
    the floor, so that the epoch grows.

    >>> draws_per_class(np.array([90.0, 10.0]), balance=0.0, class_floor=30).tolist()
    [90.0, 30.0]
    """
    counts = np.asarray(class_counts, np.float64)
    drawn = sampling_shares(counts / counts.sum(), balance) * counts.sum()
    return np.asarray(np.where(counts > 0, np.maximum(drawn, class_floor), 0))
