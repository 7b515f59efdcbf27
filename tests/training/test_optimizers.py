import keras
import numpy as np
import pytest
from keras import layers

from dermascan_core.training.optimizers import (
    clip_by_unit,
    make_optimizer,
    optimizer_state,
    restore_optimizer,
    served_weights,
)
from dermascan_core.training.presets import PRESETS, override


def _network(seed=1):
    """A dense network with the layer names that matter; rebuilt, its layers have other automatic names."""
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    hidden = layers.Dense(3)(inputs)
    return keras.Model(inputs, layers.Dense(2, name="logits")(layers.Dropout(0.5)(hidden)))


def _recipe(*settings):
    return override(PRESETS["smoke"], ["clip_norm=0", *settings])


def _built(network, *settings, rate=0.1):
    optimizer = make_optimizer(_recipe(*settings), rate)
    optimizer.build(network.trainable_variables)
    return optimizer


def _apply(optimizer, network, gradients):
    optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients], network.trainable_variables)


def _gradients(network, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.normal(size=v.shape).astype(np.float32) for v in network.trainable_variables]


def slow_clip_by_unit(gradient, weight, ratio):
    """Second writing of Brock et al. (2021), equation 3: one unit after the other."""
    clipped = gradient.copy()
    if gradient.ndim <= 1:
        units = [np.s_[...]]
    elif gradient.ndim == 4 and gradient.shape[-1] == 1:
        units = [np.s_[:, :, channel, :] for channel in range(gradient.shape[2])]
    else:
        units = [np.s_[..., column] for column in range(gradient.shape[-1])]
    for unit in units:
        norm, limit = np.linalg.norm(gradient[unit]), ratio * max(np.linalg.norm(weight[unit]), 1e-3)
        if norm > limit:
            clipped[unit] = gradient[unit] * limit / norm
    return clipped


@pytest.mark.parametrize("shape", [(5, 4), (7,), (3, 3, 5, 4), (3, 3, 5, 1)])
@pytest.mark.parametrize("scale", [0.001, 1.0])
def test_clipping_by_unit_agrees_with_a_slow_second_writing(shape, scale):
    rng = np.random.default_rng(3)
    gradient, weight = (rng.normal(size=shape).astype(np.float32) for _ in range(2))
    gradient *= scale

    clipped = np.asarray(clip_by_unit(gradient, weight, 0.01))

    np.testing.assert_allclose(clipped, slow_clip_by_unit(gradient, weight, 0.01), rtol=1e-5)


def test_adaptive_clipping_reaches_every_weight_but_those_of_the_last_layer():
    network = _network()
    gradients = _gradients(network, scale=100.0)
    before = network.get_weights()

    _apply(_built(network, "optimizer=sgd", "adaptive_clip=0.01", rate=1.0), network, gradients)

    # Nesterov's first step is (1 + 0.9) times the gradient.
    moved = [(b - a) / 1.9 for b, a in zip(before, network.get_weights(), strict=True)]
    expected = [slow_clip_by_unit(g, b, 0.01) for g, b in zip(gradients[:2], before[:2], strict=True)] + gradients[2:]
    for one, other in zip(moved, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-6)


def test_norm_is_clipped_over_all_weights_together():
    network = _network()
    gradients = _gradients(network, scale=10.0)
    before = network.get_weights()

    _apply(_built(network, "optimizer=sgd", "clip_norm=1", rate=1.0), network, gradients)

    moved = np.concatenate([(b - a).ravel() for b, a in zip(before, network.get_weights(), strict=True)])
    assert np.linalg.norm(moved) == pytest.approx(1.9, rel=1e-4)


def test_accumulated_gradients_move_as_one_batch_of_their_mean():
    one, other = _network(), _network()
    parts = [_gradients(one, seed) for seed in range(3)]

    stepwise = _built(one, "accumulate_steps=3", "adaptive_clip=0.1")
    for part in parts:
        _apply(stepwise, one, part)
    _apply(_built(other, "adaptive_clip=0.1"), other, [np.mean(g, axis=0) for g in zip(*parts, strict=True)])

    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2])
def test_served_weights_are_the_moving_average_and_training_goes_on_without_it(steps):
    network = _network()
    optimizer = _built(network, "optimizer=sgd", "ema_decay=0.5", f"accumulate_steps={steps}")
    seen = []
    for seed in range(4 * steps):
        _apply(optimizer, network, _gradients(network, seed))
        seen.append(network.get_weights())

    optimizer.finalize_variable_values(network.trainable_variables)

    # The average begins with the weights after the first update.
    decay = 0.5 ** (1 / steps)
    expected = seen[0]
    for number, weights in enumerate(seen[1:], start=1):
        share = 0.0 if number < steps else decay
        expected = [share * e + (1 - share) * w for e, w in zip(expected, weights, strict=True)]
    for a, b in zip(served_weights(network, optimizer), expected, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    for a, b in zip(network.get_weights(), seen[-1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "rmsprop", "sgd"])
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_state_means_the_same_to_an_optimizer_made_anew(optimizer, precision):
    settings = (f"optimizer={optimizer}", f"precision={precision}", "ema_decay=0.9", "accumulate_steps=2")
    one, other = _network(), _network(seed=2)
    first = _built(one, *settings)
    for seed in range(3):
        _apply(first, one, _gradients(one, seed))

    other.set_weights(one.get_weights())
    second = _built(other, *settings)
    restore_optimizer(second, other, optimizer_state(first, one))
    for seed in range(3, 6):
        _apply(first, one, _gradients(one, seed))
        _apply(second, other, _gradients(one, seed))

    for a, b in zip(served_weights(one, first), served_weights(other, second), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_weight_that_opens_later_starts_its_average_from_itself():
    network = _network()
    network.layers[1].trainable = False
    closed = _built(network, "ema_decay=0.9")
    _apply(closed, network, _gradients(network))
    state = optimizer_state(closed, network)

    network.layers[1].trainable = True
    opened = _built(network, "ema_decay=0.9")
    restore_optimizer(opened, network, state)

    served = served_weights(network, opened)
    np.testing.assert_array_equal(served[0], network.get_weights()[0])
    np.testing.assert_array_equal(served[2], served_weights(network, closed)[2])
    assert int(opened.iterations) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [("adamw", keras.optimizers.AdamW), ("adam", keras.optimizers.Adam), ("rmsprop", keras.optimizers.RMSprop),
     ("sgd", keras.optimizers.SGD)],
)  # fmt: skip
def test_recipe_names_its_optimizer(name, kind):
    optimizer = make_optimizer(_recipe(f"optimizer={name}"), 0.1)

    assert isinstance(optimizer, kind)
    assert optimizer.weight_decay == (0.05 if name == "adamw" else None)
    assert type(optimizer).from_config(optimizer.get_config()).adaptive_clip == 0


def test_step_whose_gradients_overflow_is_skipped_in_half_precision():
    network = _network()
    optimizer = _built(network, "precision=mixed_float16")
    before = network.get_weights()

    _apply(optimizer, network, [np.full(v.shape, np.inf, np.float32) for v in network.trainable_variables])

    for a, b in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
