"""The loss against its definition in NumPy and against Keras' own."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from dermascan_core.training.losses import ClassLoss, class_weights, make_loss
from dermascan_core.training.presets import PRESETS

SHARES = np.array([0.6, 0.3, 0.1])


@pytest.fixture
def batch():
    """Six photos of three classes: hard, soft and mixed targets, and logits."""
    rng = np.random.default_rng(4)
    targets = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    targets[3] = [0, 0.5, 0.5]
    targets[4] = 0.3 * targets[0] + 0.7 * targets[2]
    return targets.astype(np.float32), rng.normal(0, 3, (6, 3)).astype(np.float32)


def slow_loss(targets, logits, *, weights, gamma, smoothing):
    losses = []
    for target, logit in zip(targets.astype(float), logits.astype(float), strict=True):
        p = np.exp(logit) / sum(np.exp(logit))
        loss = 0.0
        for c in range(3):
            softened = target[c] * (1 - smoothing) + smoothing / 3
            loss -= softened * (1 - p[c]) ** gamma * np.log(p[c])
        losses.append(loss * sum(target[c] * weights[c] for c in range(3)))
    return np.array(losses)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [0.5, 1.0, 3.0]])
def test_loss_equals_its_slow_definition(batch, gamma, smoothing, weights):
    loss = ClassLoss(weights=weights, gamma=gamma, label_smoothing=smoothing, reduction="none")

    found = np.asarray(loss(*batch))

    expected = slow_loss(*batch, weights=weights or [1, 1, 1], gamma=gamma, smoothing=smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_plain_loss_equals_keras_cross_entropy(batch):
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)

    assert float(ClassLoss(label_smoothing=0.1)(*batch)) == pytest.approx(float(theirs(*batch)), rel=1e-5)


def test_focal_loss_equals_keras_binary_focal_on_the_true_class(batch):
    _, logits = batch
    targets = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]
    p_true = (np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))[targets > 0][:, np.newaxis]
    theirs = keras.losses.BinaryFocalCrossentropy(gamma=2.0, reduction="none")

    expected = np.asarray(theirs(np.ones_like(p_true), p_true))

    found = np.asarray(ClassLoss(gamma=2.0, reduction="none")(targets, logits))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_weights_of_power_one_give_each_class_the_same_total():
    np.testing.assert_allclose(class_weights(SHARES, 1.0) * SHARES, np.full(3, 1 / 3))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_weights_have_mean_one_over_the_photos(power):
    assert (class_weights(SHARES, power) * SHARES).sum() == pytest.approx(1.0)


def test_class_without_photos_weighs_nothing():
    assert class_weights(np.array([0.5, 0.5, 0.0]), 1.0).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize(
    "settings", [{"loss": "focal"}, {"class_weight": 1.0}, {"class_weight": 0.5}, {"label_smoothing": 0.2}]
)
def test_each_option_of_the_recipe_acts(batch, settings):
    plain = replace(PRESETS["smoke"], label_smoothing=0.0)

    one, other = (float(make_loss(p, SHARES)(*batch)) for p in (plain, replace(plain, **settings)))

    assert one != pytest.approx(other, rel=1e-3)


def test_focal_gamma_counts_only_for_the_focal_loss():
    assert make_loss(replace(PRESETS["smoke"], focal_gamma=3.0), SHARES).gamma == 0.0
    assert make_loss(replace(PRESETS["smoke"], focal_gamma=3.0, loss="focal"), SHARES).gamma == 3.0


def test_loss_is_saved_with_a_model_and_comes_back(batch, tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    loss = make_loss(replace(PRESETS["smoke"], loss="focal", class_weight=1.0), SHARES)
    model.compile(optimizer="sgd", loss=loss)
    model.save(tmp_path / "model.keras")

    again = keras.saving.load_model(tmp_path / "model.keras")

    assert again.loss.get_config() == loss.get_config()
    assert float(again.loss(*batch)) == pytest.approx(float(loss(*batch)))


def test_confident_photo_has_a_finite_gradient():
    tf = pytest.importorskip("tensorflow")
    logits = tf.Variable([[200.0, -200.0, 0.0]])

    with tf.GradientTape() as tape:
        loss = ClassLoss(gamma=0.5)(np.array([[1, 0, 0]], np.float32), logits)

    assert np.isfinite(tape.gradient(loss, logits).numpy()).all()


def test_impossible_settings_are_named():
    with pytest.raises(ValueError) as error:
        ClassLoss(gamma=-1.0)

    assert str(error.value) == (
        "Expected a focal gamma of at least 0 and label smoothing in [0, 1). Received -1.0 and 0.0. Correct the recipe."
    )
