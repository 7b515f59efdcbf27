"""Starts a run from a network that was trained here instead of from ImageNet: a release, or another run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from ..errors import TrainingError, WeightsError
from ..evaluation.overlap import learnt_lesions
from ..model.checkpoint import load_weights
from ..model.ensemble import members_of
from ..model.manifest import load_manifest
from ..tables import LabelledPhoto
from .finished_run import load_network, read_run

RELEASE_ENDING = ".keras"
_OF_ANSWERS = ("metadata_branch", "gate", "film_scale", "film_shift")
_OF_CLASSES = "logits"


@dataclass(frozen=True, slots=True)
class Origin:
    """A trained network that another run may start from.

    Attributes:
        name: In messages.
        backbone: Of its members.
        members: The networks; loaded when asked for.
        codes, metadata_fields: What its outputs and inputs mean.
        split_sha256: Of the data set that it learnt from.
        unseen_fold: The fold of it that it did not learn from.
    """

    name: str
    backbone: str
    members: Callable[[], Sequence[keras.Model]]
    codes: tuple[str, ...]
    metadata_fields: tuple[str, ...]
    split_sha256: str | None
    unseen_fold: str


def is_trained_here(pretrained: str) -> bool:
    """Return whether starting weights are a network that this code trained: a released model, or the folder of a run."""
    return pretrained.endswith(RELEASE_ENDING) or Path(pretrained).is_dir()


def read_origin(source: Path) -> Origin:
    """Read what a run is to start from.

    Args:
        source: ``NAME.keras`` with its manifest beside it, or the folder of a run.

    Raises:
        DatasetError: If a folder holds no run that has finished an epoch.
        WeightsError: If a release's manifest cannot be read; on ``members``, if its weights are missing or altered.
    """
    if source.is_dir():
        run = read_run(source)
        return Origin(
            name=str(source),
            backbone=run.preset["backbone"],
            members=lambda: [load_network(run)[0]],
            codes=run.codes,
            metadata_fields=run.encoder.fields,
            split_sha256=run.record["split_sha256"],
            unseen_fold=str(run.fold),
        )
    manifest = load_manifest(source.with_suffix(".json"))
    return Origin(
        name=source.name,
        backbone=manifest.backbone,
        members=lambda: members_of(load_weights(manifest, source)),
        codes=manifest.codes,
        metadata_fields=manifest.metadata_fields,
        split_sha256=manifest.data.get("split_sha256"),
        unseen_fold=str(manifest.data.get("validation_fold")),
    )


def start_from(
    network: keras.Model, origin: Origin, *, codes: Sequence[str], metadata_fields: Sequence[str]
) -> tuple[str, ...]:
    """Copy a trained network's weights into one of the same backbone; of an ensemble, those of the first that fits.

    What reads the answers is copied only where the same are asked, and what names the classes only where they are the
    same, in the same order: weights of other meaning are worse than none.

    Args:
        network: From ``model.dual_branch.build_dual_branch``; changed. The side of its square may differ.
        origin: Where the weights come from.
        codes, metadata_fields: Of the network that is to learn.

    Returns:
        The names of the layers that were copied.

    Raises:
        WeightsError: If the file is missing, altered, or of another backbone.
    """
    member = next((one for one in origin.members() if _fits(network, one, "backbone")), None)
    if member is None:
        raise WeightsError(
            f"Expected a trained network with the recipe's backbone at '{origin.name}'. It has {origin.backbone}. "
            "Choose the recipe that it was made with, or another model."
        )
    skipped = set() if tuple(codes) == origin.codes else {_OF_CLASSES}
    skipped |= set() if tuple(metadata_fields) == origin.metadata_fields else set(_OF_ANSWERS)
    names = [layer.name for layer in network.layers if layer.weights and layer.name not in skipped]
    copied = [name for name in names if _fits(network, member, name)]
    for name in copied:
        network.get_layer(name).set_weights(member.get_layer(name).get_weights())
    return tuple(copied)


def refuse_known_photos(origin: Origin, photos: Sequence[LabelledPhoto], *, split_sha256: str) -> None:
    """Raise if a network has learnt from what is to validate a run that starts from it.

    Args:
        origin: What the run would start from.
        photos: What validates; of one fold.
        split_sha256: Of the data set that they are from.

    Raises:
        TrainingError: If it has; names some of the lesions.
    """
    known = learnt_lesions(
        photos, split_sha256=split_sha256, learnt_from=origin.split_sha256, unseen_fold=origin.unseen_fold
    )
    if known:
        raise TrainingError(
            f"Expected photos that '{origin.name}' has not learnt from to validate this run. It knows {len(known)} of their "
            f"lesions, {', '.join(sorted(known)[:3])} among them: the figures would be memory. Hold out fold "
            f"{origin.unseen_fold}, or start from ImageNet's weights."
        )


def _fits(network: keras.Model, member: keras.Model, name: str) -> bool:
    layers = [next((layer for layer in model.layers if layer.name == name), None) for model in (network, member)]
    ours, theirs = ([tuple(w.shape) for w in layer.weights] if layer else None for layer in layers)
    return ours is not None and ours == theirs
