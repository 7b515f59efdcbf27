"""Stratified splits that keep groups together: all photos of a person, of a lesion, and of one picture in one place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import DatasetError
from ..tables import LabelledPhoto, photos_by_lesion, photos_by_patient, read_split, shipped_splits
from .duplicates import join_groups

SCHEMES = ("kfold", "80-10-10", "70-20-10")
_MAX_PASSES = 20


@dataclass(frozen=True, slots=True)
class Part:
    """One place of a split.

    Attributes:
        split: ``train`` or ``test``.
        fold: Within ``train``; empty for ``test``. Training with ``--fold K`` validates on fold K.
        share: Of all photos, in (0, 1].
    """

    split: str
    fold: str
    share: float


def split_parts(scheme: str, *, n_folds: int = 5, test_share: float = 0.1) -> tuple[Part, ...]:
    """Return the parts of a scheme.

    Args:
        scheme: ``kfold`` holds out ``test_share`` and parts the rest into ``n_folds``. ``80-10-10`` and ``70-20-10``
            are shares of training, validation and test; fold 0 is the validation part, fold 1 trains.
        n_folds: At least 2.
        test_share: 0 to 0.5; 0 holds nothing out.

    Raises:
        DatasetError: If a value is out of range.

    >>> [(p.split, p.fold, p.share) for p in split_parts("70-20-10")]
    [('train', '1', 0.7), ('train', '0', 0.2), ('test', '', 0.1)]
    """
    if scheme not in SCHEMES:
        raise DatasetError(f"Expected a scheme: {', '.join(SCHEMES)}. Received '{scheme}'. Choose one of them.")
    if scheme != "kfold":
        train, validation, test = (int(share) / 100 for share in scheme.split("-"))
        return Part("train", "1", train), Part("train", "0", validation), Part("test", "", test)
    if n_folds < 2 or not 0 <= test_share <= 0.5:
        raise DatasetError(
            f"Expected at least 2 folds and a test share of 0 to 0.5. Received {n_folds} and {test_share}. Correct them."
        )
    folds = tuple(Part("train", str(fold), (1 - test_share) / n_folds) for fold in range(n_folds))
    return (*folds, *((Part("test", "", test_share),) if test_share else ()))


def photo_groups(photos: Sequence[LabelledPhoto], links: Iterable[Iterable[str]] = ()) -> dict[str, str]:
    """Return image_id -> group: photos that share a patient or a lesion, or that a link joins, are one group.

    Args:
        photos: Rows of one data set.
        links: Names of photos that show the same picture.
    """
    owned = [[photo] for photo in photos]
    owned += [*photos_by_patient(photos).values(), *photos_by_lesion(photos).values()]
    return join_groups([*([photo.image_id for photo in some] for some in owned), *links])


def split_photos(
    photos: Sequence[LabelledPhoto],
    parts: Sequence[Part],
    *,
    links: Iterable[Iterable[str]] = (),
    seed: int = 0,
) -> dict[str, Part]:
    """Return image_id -> part, every class in every part as near to the part's share as the groups allow.

    Groups that hold a test photo of a split that ships with the project go to ``test``, and groups that hold a training
    photo of it do not: so a model trained on another archive never saw the photos it is measured on. Where the folds are
    those of that split, they also go to their fold of it: an archive brought in again is parted as the released model
    knew it. Nothing of this holds where no part is ``test``.

    Raises:
        DatasetError: If there are fewer groups than parts.
    """
    group_of_photo = photo_groups(photos, links)
    groups = sorted(set(group_of_photo.values()))
    if len(groups) < len(parts):
        raise DatasetError(
            f"Expected at least {len(parts)} people, lesions or photos to part. Received {len(groups)} that may not be "
            "parted. Choose fewer folds."
        )
    number = {group: index for index, group in enumerate(groups)}
    # Photos that only say malignant or not are classes of their own.
    classes = sorted({_stratum(photo) for photo in photos})
    counts = np.zeros((len(groups), len(classes)))
    for photo in photos:
        counts[number[group_of_photo[photo.image_id]], classes.index(_stratum(photo))] += 1
    allowed = _allowed_parts(group_of_photo, number, parts)
    chosen = assign_groups(counts, [part.share for part in parts], seed=seed, allowed=allowed)
    return {photo.image_id: parts[chosen[number[group_of_photo[photo.image_id]]]] for photo in photos}


def _stratum(photo: LabelledPhoto) -> str:
    return photo.dx or f"target {int(photo.is_malignant)}"


def _allowed_parts(
    group_of_photo: Mapping[str, str], number: Mapping[str, int], parts: Sequence[Part]
) -> npt.NDArray[np.bool_]:
    allowed = np.ones((len(number), len(parts)), bool)
    is_test = np.array([part.split == "test" for part in parts])
    if not is_test.any() or is_test.all():
        return allowed
    shipped = {row.image_id: (row.split, row.fold) for path in shipped_splits() for row in read_split(path)}
    folds = np.array([part.fold for part in parts])
    is_same_folds = set(folds[~is_test]) == {fold for split, fold in shipped.values() if split != "test"}
    held: dict[str, set[tuple[str, str]]] = {}
    for image_id, group in group_of_photo.items():
        if image_id in shipped:
            held.setdefault(group, set()).add(shipped[image_id])
    for group, places in held.items():
        if any(split == "test" for split, _ in places):
            allowed[number[group]] = is_test
        else:
            fold = min(fold for _, fold in places)
            allowed[number[group]] = folds == fold if is_same_folds else ~is_test
    return allowed


def assign_groups(
    counts: npt.NDArray[np.floating],
    shares: Sequence[float],
    *,
    seed: int = 0,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int64]:
    """Return the part of each group, so that parts get their share of every class.

    First greedily, groups that weigh most in a rare class first, each to the part that it unbalances least (as
    scikit-learn's StratifiedGroupKFold does); then single groups are moved as long as that improves the balance.

    Args:
        counts: Photos by group and class, shape (n_groups, n_classes).
        shares: Of each part; they sum to 1.
        seed: Orders groups of equal weight, and the moves.
        allowed: Whether a group may lie in a part, shape (n_groups, n_parts); None allows all.

    Returns:
        Part numbers, shape (n_groups,).
    """
    rng = np.random.default_rng(seed)
    # The number of photos is one more class, so that parts are also equally large.
    weights = np.column_stack([counts, counts.sum(axis=1)]).astype(np.float64)
    weights /= np.maximum(weights.sum(axis=0), 1)  # share of each class that a group holds
    part_shares = np.asarray(shares, np.float64)
    barred = np.zeros((len(weights), len(part_shares))) if allowed is None else np.where(allowed, 0.0, np.inf)
    filled = np.zeros((len(part_shares), weights.shape[1]))
    chosen = np.full(len(weights), -1)
    size = np.linalg.norm(weights, axis=1)
    shuffled = rng.permutation(len(weights))
    for group in shuffled[np.argsort(-size[shuffled], kind="stable")]:
        chosen[group] = np.argmin(_added_imbalance(filled, weights[group], part_shares) + barred[group])
        filled[chosen[group]] += weights[group]
    for _ in range(_MAX_PASSES):
        n_moved = 0
        for group in rng.permutation(len(weights)):
            here = chosen[group]
            filled[here] -= weights[group]
            added = _added_imbalance(filled, weights[group], part_shares) + barred[group]
            best = int(np.argmin(added))
            if added[best] < added[here] - 1e-12:
                chosen[group], n_moved = best, n_moved + 1
            filled[chosen[group]] += weights[group]
        if not n_moved:
            break
    return chosen


def _added_imbalance(
    filled: npt.NDArray[np.float64], weight: npt.NDArray[np.float64], shares: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    # By how much each part's sum of (filled - share)^2 / share over the classes would grow, up to a constant.
    return np.asarray((2 * filled @ weight + weight @ weight) / shares)
