import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dermascan_core.training.curriculum import _PENALTY, _fit_softmax, log_softmax, measure_difficulty


@pytest.fixture
def clouds():
    """Three classes as clouds in 20 dimensions; the last ten photos of each lie in the wrong cloud."""
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 60)
    centres = rng.normal(0, 3, (3, 20))
    features = centres[classes] + rng.normal(size=(180, 20))
    is_odd = np.arange(180) % 60 >= 50
    features[is_odd] += (centres[(classes + 1) % 3] - centres[classes])[is_odd]
    return features, np.eye(3)[classes], is_odd


def test_photos_that_look_like_another_class_are_the_hardest(clouds):
    features, targets, is_odd = clouds

    difficulty = measure_difficulty(features, targets, seed=1)

    assert is_odd[np.argsort(difficulty)[-30:]].sum() >= 26
    assert (difficulty >= 0).all()


def test_difficulty_repeats_with_its_seed(clouds):
    features, targets, _ = clouds

    assert np.array_equal(measure_difficulty(features, targets, seed=1), measure_difficulty(features, targets, seed=1))


def test_photo_is_not_made_easy_by_another_of_its_lesion():
    rng = np.random.default_rng(2)
    features = np.repeat(rng.normal(size=(60, 30)), 2, axis=0)  # two equal photos of each lesion
    targets = np.eye(2)[np.repeat(rng.integers(2, size=60), 2)]  # of a class that the features do not tell
    lesions = np.repeat(np.arange(60), 2).astype(str)

    apart = measure_difficulty(features, targets, seed=0, groups=lesions)
    leaking = measure_difficulty(features, targets, seed=0)

    assert apart.mean() > leaking.mean() * 1.2


def test_probe_equals_scikit_learns_softmax_regression(clouds):
    features, targets, _ = clouds
    inputs = (features - features.mean(axis=0)) / features.std(axis=0)

    found = np.exp(log_softmax(inputs @ _fit_softmax(inputs, targets)))

    theirs = LogisticRegression(C=1 / (_PENALTY * len(inputs)), fit_intercept=False, max_iter=1000, tol=1e-8)
    expected = theirs.fit(inputs, targets.argmax(axis=1)).predict_proba(inputs)
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_a_handful_of_photos_is_measured_too():
    assert measure_difficulty(np.ones((2, 3)), np.eye(2), seed=0).shape == (2,)
    assert measure_difficulty(np.ones((1, 3)), np.eye(2)[:1], seed=0).tolist() == pytest.approx([np.log(2)])
