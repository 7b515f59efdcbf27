import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from dermascan_core.evaluation.served import measure_served, served_loss

CODES = ("mel", "nv", "bcc")
ARCHIVE, SEEN = np.array([0.1, 0.8, 0.1]), np.array([1 / 3, 1 / 3, 1 / 3])


def _served():
    rng = np.random.default_rng(2)
    y_true = np.arange(60) % 3
    logits = rng.normal(size=(60, 2, 3)) + 1.5 * np.eye(3)[y_true][:, np.newaxis]
    # Second writing: softmax, then Bayes' rule, view by view; then the mean.
    shares = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True) * ARCHIVE / SEEN
    return logits, y_true, (shares / shares.sum(axis=2, keepdims=True)).mean(axis=1)


def test_measures_are_those_of_the_corrected_mean_of_views():
    logits, y_true, y_prob = _served()

    measures = measure_served(logits, y_true, CODES, (ARCHIVE, SEEN))

    auc = np.mean([roc_auc_score(y_true == k, y_prob[:, k]) for k in range(3)])
    assert measures["macro_auc"] == pytest.approx(auc)
    assert measures["malignant_auc"] == pytest.approx(roc_auc_score(y_true != 1, y_prob[:, 0] + y_prob[:, 2]))
    assert measures["balanced_accuracy"] == pytest.approx(
        balanced_accuracy_score(y_true, (y_prob / ARCHIVE).argmax(axis=1))
    )


def test_loss_is_the_cross_entropy_of_what_is_served():
    logits, y_true, y_prob = _served()

    assert served_loss(logits, np.eye(3)[y_true], (ARCHIVE, SEEN)) == pytest.approx(log_loss(y_true, y_prob), abs=1e-9)
