import numpy as np
import pytest

from dermascan_core.taxonomy import HAM_CODES
from dermascan_core.trust.conformal import fit_set_thresholds, prediction_set


def _sample(rng, n):
    labels = rng.integers(0, 7, n)
    scores = rng.normal(0, 1, (n, 7))
    scores[np.arange(n), labels] += 1.5
    p = np.exp(scores)
    return [HAM_CODES[k] for k in labels], p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("coverage", [0.90, 0.95])
def test_sets_cover_every_class_as_promised_on_new_data(coverage):
    rng = np.random.default_rng(0)
    thresholds = fit_set_thresholds(*_sample(rng, 30_000), coverage=coverage)
    y_true, p = _sample(rng, 30_000)

    sets = [prediction_set(row, thresholds, always=HAM_CODES[row.argmax()]) for row in p]

    for code in HAM_CODES:
        covered = [code in s for s, truth in zip(sets, y_true, strict=True) if truth == code]
        assert np.mean(covered) >= coverage - 0.02


def test_class_with_too_few_samples_is_always_in_the_set():
    p = np.full((5, 7), 1 / 7)

    thresholds = fit_set_thresholds(["df"] * 5, p, coverage=0.9)

    assert thresholds == dict.fromkeys(HAM_CODES, 0.0)
    assert set(prediction_set(p[0], thresholds, always="nv")) == set(HAM_CODES)


def test_set_lists_the_most_probable_first():
    p = np.array([0.05, 0.1, 0.2, 0.0, 0.5, 0.15, 0.0])

    assert prediction_set(p, dict.fromkeys(HAM_CODES, 0.1), always="mel") == ("mel", "bkl", "nv", "bcc")
