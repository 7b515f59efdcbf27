"""How the learning rate moves: within a run by steps, or after epochs that got no better."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import keras

_RISE_SHARE = 0.03  # of a cosine run: long enough for Adam's second moments to settle
_LOWEST_SHARE = 0.01


def make_schedule(kind: str, peak: float, *, n_steps: int) -> Any:
    """Return what an optimizer takes as its learning rate.

    Args:
        kind: A name of ``presets.CHOICES["schedule"]``.
        peak: The highest rate.
        n_steps: Batches that the schedule spans; Keras' schedules count batches, not updates, where gradients are
            accumulated.

    Returns:
        A Keras schedule for ``cosine`` and ``one_cycle``; the rate itself for ``constant`` and ``plateau``, which an
        epoch's end may lower (``Plateau``).
    """
    if kind == "cosine":
        rise = max(1, round(_RISE_SHARE * n_steps))
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=peak * 0.05,
            decay_steps=max(1, n_steps - rise),
            alpha=_LOWEST_SHARE,
            warmup_target=peak,
            warmup_steps=rise,
        )
    if kind == "one_cycle":
        return OneCycle(peak, n_steps)
    return float(peak)


@keras.saving.register_keras_serializable("dermascan")
class OneCycle(keras.optimizers.schedules.LearningRateSchedule):
    """Up from a 25th of the peak over the first 30 %, then down to a 10,000th, both along a cosine.

    The momentum of the original is left as it is: Keras' optimizers keep theirs constant.

    Args:
        peak: The highest rate.
        n_steps: Length of the cycle; afterwards the last rate stays.

    Reference: Smith & Topin (2018), https://arxiv.org/abs/1708.07120
    """

    first_share, last_share, rise_share = 1 / 25, 1e-4, 0.3

    def __init__(self, peak: float, n_steps: int) -> None:
        self.peak, self.n_steps = peak, n_steps

    def __call__(self, step: Any) -> Any:
        ops = keras.ops
        step = ops.cast(step, "float32")
        rise = max(1.0, self.rise_share * self.n_steps)
        fall = max(1.0, self.n_steps - rise)
        up = ops.clip(step / rise, 0.0, 1.0)
        down = ops.clip((step - rise) / fall, 0.0, 1.0)
        risen = self._between(self.first_share, 1.0, up)
        return self.peak * ops.where(step < rise, risen, self._between(1.0, self.last_share, down))

    @staticmethod
    def _between(start: float, end: float, share: Any) -> Any:
        return end + (start - end) * (1 + keras.ops.cos(share * 3.141592653589793)) / 2

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "n_steps": self.n_steps}


@dataclass(slots=True)
class Plateau:
    """Counts epochs whose validation loss was no better, and says when to lower the rate.

    Attributes:
        best: The lowest loss so far; None before the first epoch.
        waited: Epochs since.
        patience: Epochs to wait.
        factor: What the rate is multiplied by.
    """

    best: float | None = None
    waited: int = 0
    patience: int = 2
    factor: float = 0.2

    def after(self, loss: float) -> float:
        """Take in an epoch's loss and return the factor for the learning rate: 1, or ``factor``.

        >>> plateau = Plateau()
        >>> [plateau.after(loss) for loss in (1.0, 0.9, 0.95, 0.9, 0.8)]
        [1.0, 1.0, 1.0, 0.2, 1.0]
        """
        if self.best is None or loss < self.best - 1e-4:
            self.best, self.waited = loss, 0
            return 1.0
        self.waited += 1
        if self.waited < self.patience:
            return 1.0
        self.waited = 0
        return self.factor

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for ``state.json``."""
        return asdict(self)
