"""A cross-validated network's answers for the fold it did not see: kept in one file, pooled and joined without it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..evaluation.experiments import without_places

Array = npt.NDArray[np.floating]
FOLD_FILE = "validation.npz"


@dataclass(frozen=True, slots=True)
class FoldAnswers:
    """What one recipe's network says of the fold it did not see.

    Attributes:
        fold: Which one.
        image_ids: n_photos names.
        told, untold: Logits (n_photos, n_views, n_classes) with and without the metadata.
        record: The run's record: recipe, classes, shares, split.
        kept: Which of its weights answered.
    """

    fold: int
    image_ids: tuple[str, ...]
    told: Array
    untold: Array
    record: Mapping[str, Any]
    kept: str

    @property
    def recipes(self) -> list[dict[str, Any]]:
        """The recipe's fields; of joined answers, those of each."""
        return [without_places(one) for one in self.record.get("members", [self.record["preset"]])]

    @property
    def shares(self) -> tuple[Array, Array]:
        """Class shares of the archive, and of what the loss saw."""
        return np.array(self.record["class_shares"]), np.array(self.record["sampling_shares"])


def write_answers(answers: FoldAnswers, path: Path) -> None:
    """Write ``validation.npz``, whole or not at all; logits as float16. It names no place of this machine."""
    recipes = {part: without_places(answers.record[part]) for part in ("preset", "changed") if part in answers.record}
    record = {**answers.record, **recipes, "fold": answers.fold, "kept": answers.kept}
    partial_path = path.with_name(f"partial-{path.name}")
    with partial_path.open("wb") as file:
        np.savez_compressed(
            file,
            image_ids=np.array(answers.image_ids),
            told=answers.told.astype(np.float16),
            untold=answers.untold.astype(np.float16),
            record=np.array(json.dumps(record)),
        )
    os.replace(partial_path, path)


def read_answers(path: Path) -> FoldAnswers:
    """Read ``validation.npz``.

    Raises:
        DatasetError: If it is not there, or not such a file.
    """
    try:
        with np.load(path) as stored:
            record = json.loads(str(stored["record"]))
            return FoldAnswers(
                fold=int(record["fold"]),
                image_ids=tuple(str(name) for name in stored["image_ids"]),
                told=stored["told"].astype(np.float64),
                untold=stored["untold"].astype(np.float64),
                record=record,
                kept=record["kept"],
            )
    except (OSError, ValueError, KeyError) as error:
        raise DatasetError(
            f"Expected a fold's answers in '{path}'. They cannot be read: {error}. Run cross-validate first."
        ) from error


def read_folds(folder: Path) -> list[FoldAnswers]:
    """Return the answers of every finished fold of a cross-validation, by fold.

    Raises:
        DatasetError: If there are fewer than two: nothing could be fitted apart from what is measured.
    """
    found = [read_answers(path) for path in sorted(folder.glob(f"fold-*/{FOLD_FILE}"))]
    if len(found) < 2:
        raise DatasetError(
            f"Expected at least two finished folds in '{folder}'. Received {len(found)}. Run cross-validate first."
        )
    return sorted(found, key=lambda answers: answers.fold)


def join_recipes(recipes: Sequence[Sequence[FoldAnswers]]) -> list[FoldAnswers]:
    """Return the folds that all recipes have, their views put together: the mean of probabilities follows.

    Args:
        recipes: For each recipe, its folds.

    Raises:
        DatasetError: If the recipes answered for other photos or classes, share no two folds, or two are one and the
            same: their mean would be that one, with another name.
    """
    by_fold = [{answers.fold: answers for answers in folds} for folds in recipes]
    common = sorted(set.intersection(*(set(folds) for folds in by_fold)))
    if len(common) < 2:
        raise DatasetError(f"Expected at least two folds that every recipe has finished. Received {common}.")
    return [_join([folds[fold] for folds in by_fold]) for fold in common]


def _join(members: Sequence[FoldAnswers]) -> FoldAnswers:
    first = members[0]
    for other in members[1:]:
        same = (other.image_ids, other.record["codes"]) == (first.image_ids, first.record["codes"])
        if not same or other.record["split_sha256"] != first.record["split_sha256"]:
            raise DatasetError(
                f"Expected answers for the same photos and classes in fold {first.fold}. They differ. "
                "Cross-validate all recipes on the same data."
            )
    for number, other in enumerate(members):
        for before, earlier in enumerate(members[:number]):
            if np.array_equal(earlier.told, other.told):
                raise DatasetError(
                    f"Expected recipes that differ. Number {before + 1} and number {number + 1} give the same answers in "
                    f"fold {first.fold}. Name each cross-validation once."
                )
    offsets = [np.log(first.shares[1]) - np.log(member.shares[1]) for member in members]
    return replace(
        first,
        told=np.concatenate([m.told + o for m, o in zip(members, offsets, strict=True)], axis=1),
        untold=np.concatenate([m.untold + o for m, o in zip(members, offsets, strict=True)], axis=1),
        record={**first.record, "members": [m.record["preset"] for m in members]},
        kept="; ".join(m.kept for m in members),
    )
