"""The one way to make a release from photos: train its recipes, join, measure."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..domain import ImageType
from ..model.manifest import Manifest
from . import cross_validate as cv
from . import fold_answers
from .data import Dataset, load_dataset
from .presets import PRESETS, Preset
from .publish import publish_release
from .release import make_release
from .releases import ReleaseRecipe

RELEASE_FOLD = 0  # what ships was trained on the other folds, so that its own figures can be compared with theirs
Progress = Callable[[str, int, int], None]


def rebuild(
    name: str,
    recipe: ReleaseRecipe,
    *,
    data: Path | Sequence[Path],
    runs: Path,
    weights_dir: Path,
    pretrained: Mapping[str, str] | None = None,
    folds: Sequence[int] | None = None,
    is_of_one_fold: bool = False,
    card: Path | None = None,
    external: Sequence[Path] | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> Manifest | None:
    """Train what a release needs, fold by fold, then ship and measure it. Goes on where it was stopped.

    Args:
        name: Of the release.
        recipe: Its members and teachers.
        data: The data set folders.
        runs: Gets one cross-validation a preset (``runs/PRESET/fold-K``); releases share them.
        weights_dir: Where the release goes.
        pretrained: Backbone -> local file of starting weights; others are as their presets say.
        folds: Train only these and stop there, so that folds can be spread over days or machines; None trains all and
            makes the release.
        is_of_one_fold: Make the release of the one fold named: its own photos fit temperature, threshold and sets.
        card: Where its model card goes.
        external: Other archives to measure too.
        on_progress: Called with (what, done, total).

    Returns:
        The manifest with all figures; None when only some folds were asked for, and no release of one.
    """
    dataset = load_dataset(data)
    present = sorted({int(p.fold) for p in dataset.part(split="train")})
    for fold in present if folds is None else folds:
        for preset_name in recipe.in_order():
            _run_fold(
                preset_name,
                recipe,
                fold,
                dataset=dataset,
                data=data,
                runs=runs,
                pretrained=pretrained or {},
                on_progress=partial(_say, on_progress, f"{preset_name}, "),
            )
    if folds is not None and not is_of_one_fold:
        return None
    fold, pooled = RELEASE_FOLD, None
    if folds is None:
        pooled = fold_answers.join_recipes([fold_answers.read_folds(runs / member) for member in recipe.members])
    else:
        (fold,) = folds
    make_release(
        [runs / member / f"fold-{fold}" for member in recipe.members],
        data=data,
        name=name,
        weights_dir=weights_dir,
        version=recipe.version,
        pooled=pooled,
        on_progress=on_progress,
    )
    if pooled is not None:
        cv.write_pooled(
            pooled,
            dataset,
            name=name,
            out=weights_dir / f"{name}.evaluation",
            on_progress=partial(_say, on_progress, ""),
        )
    has_phones = pooled is not None and any(
        p.metadata.image_type is ImageType.CLINICAL for p in dataset.part(split="train")
    )
    return publish_release(
        name,
        data=data,
        weights_dir=weights_dir,
        card=card,
        external=external,
        repeated=["cross-validation-phone"] if has_phones else [],
        on_progress=on_progress,
    )


def _run_fold(
    preset_name: str,
    recipe: ReleaseRecipe,
    fold: int,
    *,
    dataset: Dataset,
    data: Path | Sequence[Path],
    runs: Path,
    pretrained: Mapping[str, str],
    on_progress: Progress,
) -> None:
    preset = with_teachers(PRESETS[preset_name], recipe, preset_name, fold, runs=runs)
    start = pretrained.get(preset.backbone)
    cv.run_folds(
        preset if start is None else replace(preset, pretrained=start),
        dataset=dataset,
        data=data,
        out=runs / preset_name,
        folds=[fold],
        on_progress=on_progress,
    )


def with_teachers(preset: Preset, recipe: ReleaseRecipe, preset_name: str, fold: int, *, runs: Path) -> Preset:
    """Return a recipe with its teachers' runs of the same fold: none of them saw what validates it."""
    folders = [str(runs / teacher / f"fold-{fold}") for teacher in recipe.teachers.get(preset_name, ())]
    return replace(preset, teacher=",".join(folders)) if folders else preset


def _say(on_progress: Progress, prefix: str, what: str, done: int, total: int) -> None:
    on_progress(prefix + what, done, total)


def keep_answers(runs: Path, to: Path) -> list[Path]:
    """Copy every fold's answers out of the runs, which are large: enough to pool and join them later.

    Returns:
        The files written, ``to/PRESET/fold-K/validation.npz``.
    """
    written = []
    for path in sorted(runs.glob(f"*/fold-*/{fold_answers.FOLD_FILE}")):
        target = to / path.relative_to(runs)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        written.append(target)
    return written
