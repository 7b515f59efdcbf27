"""Whether evaluated photos were training photos: their numbers would then be memory, not skill."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations
from pathlib import Path
from typing import Any

from ..model.manifest import Manifest
from ..tables import SHIPPED_SPLITS, LabelledPhoto, group_of, read_split, shipped_splits
from ..tables import split_sha256 as hash_of_split

_MAX_LISTED = 20


def training_overlap(
    photos: Sequence[LabelledPhoto], manifest: Manifest, *, splits_dir: Path = SHIPPED_SPLITS
) -> dict[str, Any]:
    """Compare photos with the shipped training split, by photo and by lesion.

    Args:
        photos: Evaluated photos.
        manifest: Of the model; says which split it was trained on.
        splits_dir: Folder of split tables (image_id, lesion_id, split, fold).

    Returns:
        ``n_photos`` and ``n_lesions`` that the training split (validation fold included) also holds, some of
        their names, ``against`` (split tables compared) and ``is_the_models_split``: whether one of them, or several
        together, are the split that the manifest names; None when the manifest names none. Where that is not so, what is found is
        a lower bound, and nothing found is None: the model may have been trained on these photos all the same.
    """
    image_ids: set[str] = set()
    lesion_ids: set[str] = set()
    tables: dict[str, list[LabelledPhoto]] = {}
    for path in sorted(splits_dir.glob("*.csv")):
        rows = read_split(path)
        tables[path.stem] = rows
        image_ids |= {row.image_id.lower() for row in rows if row.split == "train"}
        lesion_ids |= {row.lesion_id for row in rows if row.split == "train" and row.lesion_id}
    seen_photos = sorted({p.image_id for p in photos if p.image_id.lower() in image_ids})
    seen_lesions = sorted({p.lesion_id for p in photos if p.lesion_id in lesion_ids})
    named = manifest.data.get("split_sha256")
    is_known = named is not None and named in hashes_of(list(tables.values()))
    return {
        "n_photos": len(seen_photos) if seen_photos or is_known else None,
        "n_lesions": len(seen_lesions) if seen_lesions or is_known else None,
        "photos": seen_photos[:_MAX_LISTED],
        "lesions": seen_lesions[:_MAX_LISTED],
        "against": sorted(tables),
        "is_the_models_split": None if named is None else is_known,
    }


def hashes_of(tables: Sequence[Sequence[LabelledPhoto]]) -> set[str]:
    """Return the hash of each table, and of each set of them that a model may have been trained on together."""
    together = (some for size in range(1, len(tables) + 1) for some in combinations(tables, size))
    return {hash_of_split(chain.from_iterable(some)) for some in together}


def learnt_lesions(
    photos: Sequence[LabelledPhoto], *, split_sha256: str, learnt_from: str | None, unseen_fold: str
) -> set[str]:
    """Return which of some photos' groups (lesions, or people) a network has learnt from.

    It names its split and the fold that it did not see. Of another split than the one given, lesions can only be known by
    name: those of the split tables that ship.

    Args:
        photos: Of one fold.
        split_sha256: Of the data set that they are from.
        learnt_from: Hash of the split that the network learnt from; None where it names none.
        unseen_fold: Of that split.
    """
    if learnt_from == split_sha256:
        return {group_of(p) for p in photos if p.fold != unseen_fold}
    tables = [read_split(path) for path in shipped_splits()]
    if learnt_from not in hashes_of(tables):
        return set()
    learnt = [row for row in chain.from_iterable(tables) if row.split == "train" and row.fold != unseen_fold]
    # By patient, lesion and photo, each by itself: a table may leave out what the shipped one names.
    names = {name for row in learnt for name in (row.patient_id, row.lesion_id, row.image_id)} - {""}
    return {group_of(p) for p in photos if names & {p.patient_id, p.lesion_id, p.image_id}}
