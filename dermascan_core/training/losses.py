"""The loss of the class logits: cross entropy or focal, weighted by class, with softened, soft or mixed targets."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from .presets import Preset


def class_weights(class_shares: npt.NDArray[np.floating], power: float) -> npt.NDArray[np.float64]:
    """Return a weight for each class: its inverse share to a power, with mean 1 over photos of that mix.

    Args:
        class_shares: Shares of the classes among the photos that are drawn, shape (n_classes,), summing to 1.
        power: 0 weighs every photo alike, 1 gives every class the same total weight.

    >>> class_weights(np.array([0.8, 0.2]), 1.0).tolist()
    [0.625, 2.5]
    """
    shares = np.asarray(class_shares, np.float64)
    weights = np.power(np.maximum(shares, 1e-12), -power) * (shares > 0)
    return np.asarray(weights / (weights * shares).sum())


@keras.saving.register_keras_serializable("dermascan")
class ClassLoss(keras.losses.Loss):
    """Cross entropy or focal loss over logits, each photo weighted by its class.

    With targets y, weights w and p = softmax(logits), a photo's loss is
    (sum_c w_c y_c) * (- sum_c s_c (1 - p_c)^gamma log p_c), where s is y with a share of ``label_smoothing`` spread over
    all classes. A photo mixed of two has the mean of their weights. Gamma 0 is cross entropy.

    Args:
        weights: One a class; None weighs all alike.
        gamma: Exponent of the focal loss, at least 0.
        label_smoothing: In [0, 1).
        reduction, name: As in Keras.

    Reference: Lin et al. (2017), https://arxiv.org/abs/1708.02002
    """

    def __init__(
        self,
        *,
        weights: list[float] | None = None,
        gamma: float = 0.0,
        label_smoothing: float = 0.0,
        reduction: str = "sum_over_batch_size",
        name: str = "class_loss",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, **kwargs)
        if gamma < 0 or not 0 <= label_smoothing < 1:
            raise ValueError(
                "Expected a focal gamma of at least 0 and label smoothing in [0, 1). "
                f"Received {gamma} and {label_smoothing}. Correct the recipe."
            )
        self.weights, self.gamma, self.label_smoothing = weights, gamma, label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return one loss a photo.

        Args:
            y_true: Shares of the classes, (n, n_classes), rows summing to 1.
            y_pred: Logits of the same shape.
        """
        log_p = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        targets = ops.cast(y_true, "float32")
        softened = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[-1]
        terms = softened * log_p
        if self.gamma:
            # 1 - p is kept above zero: the gradient of a power below 1 would be infinite there.
            terms = terms * ops.power(ops.maximum(1 - ops.exp(log_p), 1e-7), self.gamma)
        loss = -ops.sum(terms, axis=-1)
        if self.weights is not None:
            loss = loss * ops.sum(targets * ops.convert_to_tensor(self.weights, "float32"), axis=-1)
        return loss

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        own = {"weights": self.weights, "gamma": self.gamma, "label_smoothing": self.label_smoothing}
        return {**super().get_config(), **own}


def make_loss(preset: Preset, class_shares: npt.NDArray[np.floating]) -> ClassLoss:
    """Return the recipe's loss.

    Args:
        preset: Its ``loss``, ``focal_gamma``, ``class_weight`` and ``label_smoothing`` count.
        class_shares: Shares of the classes among the photos that are drawn (``sampling.drawn_shares``), so that drawing
            and weighting together never balance twice.
    """
    return ClassLoss(
        weights=class_weights(class_shares, preset.class_weight).tolist() if preset.class_weight else None,
        gamma=preset.focal_gamma if preset.loss == "focal" else 0.0,
        label_smoothing=preset.label_smoothing,
    )
