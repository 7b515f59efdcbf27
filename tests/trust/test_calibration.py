import numpy as np
import pytest

from dermascan_core.trust.calibration import calibrate_logits, fit_temperature

EVEN = np.full(3, 1 / 3)


def test_correction_undoes_balanced_sampling_exactly():
    """A classifier that is right on the sampling mix becomes right on the archive's, by Bayes' rule."""
    archive, sampling = np.array([0.9, 0.08, 0.02]), EVEN
    likelihood = np.array([0.2, 0.5, 0.7])
    logits = np.log(likelihood * sampling)

    corrected = calibrate_logits(logits, temperature=1.0, class_shares=archive, sampling_shares=sampling)

    np.testing.assert_allclose(corrected, likelihood * archive / (likelihood * archive).sum())


def test_probabilities_sum_to_one_even_for_huge_logits():
    p = calibrate_logits(np.array([[1e4, -1e4, 0.0]]), temperature=0.5, class_shares=EVEN, sampling_shares=EVEN)

    assert p.sum() == pytest.approx(1)
    assert np.isfinite(p).all()


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_temperature_is_recovered_from_samples(true_temperature):
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 1, 3))
    p = calibrate_logits(logits[:, 0], temperature=true_temperature, class_shares=EVEN, sampling_shares=EVEN)
    y_true = (p.cumsum(axis=1) > rng.random((len(p), 1))).argmax(axis=1)

    found = fit_temperature(logits, y_true, class_shares=EVEN, sampling_shares=EVEN)

    assert found == pytest.approx(true_temperature, rel=0.05)
