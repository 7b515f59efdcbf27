"""Starts a run from a released network instead of from ImageNet: what a challenger grows from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import keras

from ..errors import TrainingError, WeightsError
from ..evaluation.overlap import hashes_of
from ..model.checkpoint import load_weights
from ..model.ensemble import members_of
from ..model.manifest import Manifest, load_manifest
from ..tables import LabelledPhoto, group_of, read_split, shipped_splits

RELEASE_ENDING = ".keras"
_OF_ANSWERS = ("metadata_branch", "gate", "film_scale", "film_shift")
_OF_CLASSES = "logits"


def is_release(pretrained: str) -> bool:
    """Return whether a recipe's starting weights are those of a released model."""
    return pretrained.endswith(RELEASE_ENDING)


def start_from_release(
    network: keras.Model, release: Path, *, codes: Sequence[str], metadata_fields: Sequence[str]
) -> tuple[str, ...]:
    """Copy a released network's weights into one of the same backbone; of an ensemble, those of the first that fits.

    What reads the answers is copied only where the same are asked, and what names the classes only where they are the
    same, in the same order: weights of other meaning are worse than none.

    Args:
        network: From ``model.dual_branch.build_dual_branch``; changed.
        release: ``NAME.keras``, with its manifest beside it.
        codes, metadata_fields: Of the network that is to learn.

    Returns:
        The names of the layers that were copied.

    Raises:
        WeightsError: If the file is missing, altered, or of another backbone.
    """
    manifest = load_manifest(release.with_suffix(".json"))
    members = members_of(load_weights(manifest, release))
    member = next((one for one in members if _fits(network, one, "backbone")), None)
    if member is None:
        raise WeightsError(
            f"Expected a released model with the recipe's backbone at '{release.name}'. It has {manifest.backbone}. "
            "Choose the recipe that it was made with, or another model."
        )
    skipped = set() if tuple(codes) == manifest.codes else {_OF_CLASSES}
    skipped |= set() if tuple(metadata_fields) == manifest.metadata_fields else set(_OF_ANSWERS)
    names = [layer.name for layer in network.layers if layer.weights and layer.name not in skipped]
    copied = [name for name in names if _fits(network, member, name)]
    for name in copied:
        network.get_layer(name).set_weights(member.get_layer(name).get_weights())
    return tuple(copied)


def refuse_known_photos(release: Path, photos: Sequence[LabelledPhoto], *, split_sha256: str) -> None:
    """Raise if a released network has learnt from what is to validate a run that starts from it.

    A release names its split and the fold that it did not see. Of another split than the one given, lesions can only be
    known by name: those of the split tables that ship.

    Args:
        release: ``NAME.keras``, with its manifest beside it.
        photos: What validates; of one fold.
        split_sha256: Of the data set that they are from.

    Raises:
        TrainingError: If it has; names some of the lesions.
    """
    manifest = load_manifest(release.with_suffix(".json"))
    unseen = str(manifest.data.get("validation_fold"))
    if manifest.data.get("split_sha256") == split_sha256:
        known = {group_of(p) for p in photos if p.fold != unseen}
    else:
        known = {group_of(p) for p in photos} & _shipped_lesions(manifest, unseen)
    if known:
        raise TrainingError(
            f"Expected photos that '{release.name}' has not learnt from to validate this run. It knows {len(known)} of their "
            f"lesions, {', '.join(sorted(known)[:3])} among them: the figures would be memory. Hold out fold {unseen}, or "
            "start from ImageNet's weights."
        )


def _shipped_lesions(manifest: Manifest, unseen: str) -> set[str]:
    """Return the lesions that a model trained on a split that ships has learnt from; none of a model trained otherwise."""
    tables = [read_split(path) for path in shipped_splits()]
    if manifest.data.get("split_sha256") not in hashes_of(tables):
        return set()
    rows = chain.from_iterable(tables)
    return {group_of(row) for row in rows if row.split == "train" and row.fold != unseen}


def _fits(network: keras.Model, member: keras.Model, name: str) -> bool:
    layers = [next((layer for layer in model.layers if layer.name == name), None) for model in (network, member)]
    ours, theirs = ([tuple(w.shape) for w in layer.weights] if layer else None for layer in layers)
    return ours is not None and ours == theirs
