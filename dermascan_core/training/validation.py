"""What a run watches: the answers that the fold held out would be given, as they are served."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import numpy.typing as npt

from ..evaluation.served import measure_served, served_loss
from ..model.dual_branch import IMAGE_INPUT, METADATA_INPUT
from ..model.views import make_views
from .team import ALONE, Team

Array = npt.NDArray[np.floating]


class Validation:
    """The photos of the fold held out, and the measures that a run watches.

    Args:
        squares: Array (n, side, side, 3), uint8.
        metadata: Array (n, width), encoded.
        targets: Array (n, n_classes); rows sum to 1.
        codes: Class codes of the targets.
        class_shares, sampling_shares: Of the archive, and of what the loss sees; arrays (n_classes,).
    """

    def __init__(
        self,
        squares: npt.NDArray[np.uint8],
        metadata: npt.NDArray[np.float32],
        targets: npt.NDArray[np.float32],
        *,
        codes: Sequence[str],
        class_shares: Array,
        sampling_shares: Array,
    ) -> None:
        self.squares, self.metadata, self.targets, self.codes = squares, metadata, targets, tuple(codes)
        self.shares = (np.asarray(class_shares), np.asarray(sampling_shares))

    def measure(
        self, network: keras.Model, *, n_views: int = 1, batch_size: int = 64, team: Team = ALONE
    ) -> dict[str, float]:
        """Return ``val_loss``, ``val_macro_auc``, ``val_malignant_auc``, ``val_balanced_accuracy`` and ``val_score``.

        The score is the mean of the three measures; the loss is the cross entropy of the served probabilities.

        Args:
            network: From ``answering``.
            n_views: Views averaged, 1 to 8.
            batch_size: Squares a step.
            team: Processes that share the photos; all of them must ask, and get the same.
        """
        logits = self.logits(network, n_views=n_views, batch_size=batch_size, team=team)
        measures = measure_served(logits, self.targets.argmax(axis=1), self.codes, self.shares)
        return {
            "val_loss": served_loss(logits, self.targets, self.shares),
            **{f"val_{name}": value for name, value in measures.items()},
            "val_score": float(np.mean(list(measures.values()))),
        }

    def logits(self, network: keras.Model, *, n_views: int = 1, batch_size: int = 64, team: Team = ALONE) -> Array:
        """Return the logits of every photo's views: array (n, n_views, n_classes)."""
        n_photos = max(1, batch_size // n_views)
        positions = team.positions(len(self.squares))
        parts = []
        for first in range(0, len(positions), n_photos):
            own = positions[first : first + n_photos]
            views = np.concatenate([make_views(square, n_views) for square in self.squares[own]]).astype(np.float32)
            metadata = np.repeat(self.metadata[own], n_views, axis=0)
            found = np.asarray(network.predict_on_batch({IMAGE_INPUT: views, METADATA_INPUT: metadata}))
            parts.append(found.reshape(len(own), n_views, -1))
        return team.gather(np.concatenate(parts), len(self.squares))


def answering(network: keras.Model) -> keras.Model:
    """Return the same network with the logits as its only output, ready to predict."""
    model = keras.Model(network.inputs, network.get_layer("logits").output)
    # XLA on a CPU makes depthwise convolutions crawl; on an accelerator Keras decides.
    model.compile(jit_compile=False if keras.backend.backend() == "tensorflow" else "auto")
    return model
