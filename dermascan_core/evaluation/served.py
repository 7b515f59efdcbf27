"""How good a network's answers are as they are served: at the archive's mix, views averaged, in the seven codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ..model.predictor import ham_matrix
from ..taxonomy import HAM_CODES, HAM_MALIGNANT
from ..trust.calibration import calibrate_logits
from .metrics import balanced_accuracy, macro_auc, roc_auc

Array = npt.NDArray[np.floating]


def measure_served(
    logits: Array, y_true: npt.NDArray[np.integer], codes: Sequence[str], shares: tuple[Array, Array]
) -> dict[str, float]:
    """Return macro AUC, malignant AUC and balanced accuracy of the answers that a person would be given.

    The most probable class is taken after dividing by the archive's shares, as the app's ranking does: balanced
    accuracy asks for every class alike.

    Args:
        logits: Array (n_photos, n_views, n_classes).
        y_true: Labels (n_photos,), positions in ``codes``.
        codes: Class codes of the logits.
        shares: Class shares of the archive, and of what the loss saw in training.

    Returns:
        ``macro_auc``, ``malignant_auc``, ``balanced_accuracy``, each in [0, 1]; NaN where a class is missing.
    """
    by_view = calibrate_logits(logits, temperature=1.0, class_shares=shares[0], sampling_shares=shares[1])
    to_ham = ham_matrix(codes)
    ham, truth = by_view.mean(axis=1) @ to_ham, to_ham[y_true].argmax(axis=1)
    ham_shares = shares[0] @ to_ham
    weight = np.divide(1.0, ham_shares, out=np.zeros_like(ham_shares), where=ham_shares > 0)
    is_malignant = np.array([code in HAM_MALIGNANT for code in HAM_CODES])
    return {
        "macro_auc": macro_auc(truth, ham),
        "malignant_auc": roc_auc(is_malignant[truth], ham[:, is_malignant].sum(axis=1)),
        "balanced_accuracy": balanced_accuracy(truth, (ham * weight).argmax(axis=1)),
    }


def served_loss(logits: Array, targets: Array, shares: tuple[Array, Array]) -> float:
    """Return the mean cross entropy of the served probabilities, in nats; lower is better.

    Args:
        logits: Array (n_photos, n_views, n_classes).
        targets: Array (n_photos, n_classes); rows sum to 1.
        shares: See ``measure_served``.
    """
    by_view = calibrate_logits(logits, temperature=1.0, class_shares=shares[0], sampling_shares=shares[1])
    return float(-(targets * np.log(by_view.mean(axis=1) + 1e-12)).sum(axis=1).mean())
