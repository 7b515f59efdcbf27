"""The optimizers of a recipe, with clipping by unit, and their state as plain arrays for a checkpoint.

They are Keras' own; each is only taught adaptive gradient clipping, and to leave its moving average of the weights
aside until it is asked for (Keras would put it into the network after every ``fit``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from .presets import Preset

_AVERAGE = "average"  # what Keras calls the moving average of a weight


def clip_by_unit(gradient: Any, weight: Any, ratio: float, *, smallest_norm: float = 1e-3) -> Any:
    """Shrink each unit's gradient to at most ``ratio`` times the norm of the unit's weights.

    A unit is what feeds one output: a column of a dense kernel, a filter of a convolution, a channel of a depthwise
    one (h, w, channels, 1), a whole vector of biases or scales.

    Args:
        gradient, weight: Tensors of one shape.
        ratio: Largest ratio of the two norms.
        smallest_norm: Stands for the norm of weights that begin at zero.

    Reference: Brock et al. (2021), https://arxiv.org/abs/2102.06171
    """
    ops = keras.ops
    axes = _unit_axes(tuple(weight.shape))
    gradient = ops.convert_to_tensor(gradient)
    weight = ops.cast(ops.convert_to_tensor(weight), gradient.dtype)
    norm = ops.sqrt(ops.sum(ops.square(gradient), axis=axes, keepdims=True))
    limit = ratio * ops.maximum(ops.sqrt(ops.sum(ops.square(weight), axis=axes, keepdims=True)), smallest_norm)
    return ops.where(norm > limit, gradient * (limit / ops.maximum(norm, 1e-6)), gradient)


def _unit_axes(shape: Sequence[int]) -> tuple[int, ...] | None:
    if len(shape) <= 1:
        return None
    if len(shape) == 4 and shape[-1] == 1 and shape[-2] > 1:
        return (0, 1)
    return tuple(range(len(shape) - 1))


class _Taught:
    """What the four optimizers share; stands before Keras' class."""

    def __init__(self, *args: Any, adaptive_clip: float = 0.0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.adaptive_clip = adaptive_clip

    def _backend_apply_gradients(self, grads: Any, trainable_variables: Any) -> None:
        # Set past Keras, which would take any list of variables for state of the optimizer.
        object.__setattr__(self, "_being_clipped", tuple(trainable_variables))
        super()._backend_apply_gradients(grads, trainable_variables)  # type: ignore[misc]

    def _clip_gradients(self, grads: Any) -> Any:
        if self.adaptive_clip:
            # The last layer is left out, as in the paper: its gradients are those of the loss itself.
            grads = [
                g if v.path.startswith("logits/") else clip_by_unit(g, v, self.adaptive_clip)
                for g, v in zip(grads, self._being_clipped, strict=True)  # type: ignore[attr-defined]
            ]
        return super()._clip_gradients(grads)  # type: ignore[misc]

    def finalize_variable_values(self, var_list: Any) -> None:
        """Leave the weights as they are: training goes on with them, and ``served_weights`` reads the average."""

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "adaptive_clip": self.adaptive_clip}  # type: ignore[misc]


@keras.saving.register_keras_serializable("dermascan")
class AdamW(_Taught, keras.optimizers.AdamW):
    """Keras' AdamW."""


@keras.saving.register_keras_serializable("dermascan")
class Adam(_Taught, keras.optimizers.Adam):
    """Keras' Adam."""


@keras.saving.register_keras_serializable("dermascan")
class RMSprop(_Taught, keras.optimizers.RMSprop):
    """Keras' RMSprop."""


@keras.saving.register_keras_serializable("dermascan")
class SGD(_Taught, keras.optimizers.SGD):
    """Keras' SGD."""


_CLASSES: dict[str, tuple[type, dict[str, Any]]] = {
    "adamw": (AdamW, {}),
    "adam": (Adam, {}),
    "rmsprop": (RMSprop, {}),
    "sgd": (SGD, {"momentum": 0.9, "nesterov": True}),
}


def make_optimizer(preset: Preset, learning_rate: Any) -> Any:
    """Return a recipe's optimizer.

    Under ``mixed_float16`` it is wrapped so that the loss is scaled up and steps whose gradients overflow are skipped.
    With accumulation Keras moves the average at every batch; its decay is taken to the power 1 / steps, which is one
    decay an update.

    Args:
        preset: The recipe.
        learning_rate: From ``schedules.make_schedule``.
    """
    kind, options = _CLASSES[preset.optimizer]
    if preset.optimizer == "adamw":
        options = options | {"weight_decay": preset.weight_decay}
    if preset.ema_decay:
        options = options | {"use_ema": True, "ema_momentum": preset.ema_decay ** (1 / preset.accumulate_steps)}
    optimizer = kind(
        learning_rate=learning_rate,
        global_clipnorm=preset.clip_norm or None,
        adaptive_clip=preset.adaptive_clip,
        gradient_accumulation_steps=preset.accumulate_steps if preset.accumulate_steps > 1 else None,
        **options,
    )
    return keras.optimizers.LossScaleOptimizer(optimizer) if preset.precision == "mixed_float16" else optimizer


def optimizer_state(optimizer: Any, network: keras.Model) -> dict[str, npt.NDArray[Any]]:
    """Return the optimizer's variables as arrays.

    Keys are ``<position of the weight in network.weights>/<slot>``, or ``own/<position>`` for those of no weight, so
    that they mean the same in another process and with other layers frozen.
    """
    return {key: np.asarray(keras.ops.convert_to_numpy(v)) for key, v in _named(optimizer, network).items()}


def restore_optimizer(optimizer: Any, network: keras.Model, state: Mapping[str, npt.NDArray[Any]]) -> None:
    """Give a built optimizer the state that ``optimizer_state`` returned; a weight that is new to it starts afresh.

    Args:
        optimizer: Built on the network's trainable variables.
        network: Whose weights it moves.
        state: Of an optimizer of the same kind; may be empty.
    """
    weights = network.weights
    for key, variable in _named(optimizer, network).items():
        owner, _, slot = key.partition("/")
        if key in state:
            variable.assign(state[key])
        elif slot == _AVERAGE:
            variable.assign(keras.ops.convert_to_numpy(weights[int(owner)]))


def served_weights(network: keras.Model, optimizer: Any) -> list[npt.NDArray[Any]]:
    """Return the network's weights in order, each that has a moving average by that average.

    Statistics of batch normalisation have none: they are moving averages already.
    """
    named = _named(optimizer, network)
    return [
        np.asarray(keras.ops.convert_to_numpy(named.get(f"{i}/{_AVERAGE}", weight)))
        for i, weight in enumerate(network.weights)
    ]


def _named(optimizer: Any, network: keras.Model) -> dict[str, Any]:
    # Keras names a slot after its weight: path with _ for /, then the slot's own name.
    owners = {f"{w.path.replace('/', '_')}_": i for i, w in enumerate(network.weights) if w.trainable}
    named: dict[str, Any] = {}
    n_own = 0
    for variable in optimizer.variables:
        prefix = max((p for p in owners if variable.name.startswith(p)), key=len, default="")
        if prefix:
            named[f"{owners[prefix]}/{variable.name.removeprefix(prefix)}"] = variable
        else:
            named[f"own/{n_own}"], n_own = variable, n_own + 1
    return named
