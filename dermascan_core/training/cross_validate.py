"""Cross-validation by lesion: every fold's photos answered, as served, by networks that never saw their lesions.

A cross-validation's folder holds one run a fold (``fold-0`` ...), each with ``validation.npz``: what the run answers for
its own fold, view by view. Those files suffice to pool one recipe's folds, or to try several recipes as an ensemble,
without training anything again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import Metadata, Prediction
from ..errors import DatasetError
from ..evaluation.evaluate import predict_photos
from ..evaluation.folds import write_fold_evaluation
from ..model.manifest import Manifest
from ..model.predictor import PhotoOutput, make_prediction
from ..taxonomy import HAM_CODES
from ..trust.calibration import fit_temperature
from .data import Dataset, load_squares, targets
from .finished_run import check_same_data, load_network, read_config, read_run, view_logits
from .fit import split_fold, train
from .presets import Preset
from .release import choose_threshold, fit_sets

Array = npt.NDArray[np.floating]
FOLD_FILE = "validation.npz"
EVALUATIONS = {"cross-validation": True, "cross-validation-no-metadata": False}
Progress = Callable[[str, int, int], None]


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
    def shares(self) -> tuple[Array, Array]:
        """Class shares of the archive, and of what the loss saw."""
        return np.array(self.record["class_shares"]), np.array(self.record["sampling_shares"])


def run_folds(
    preset: Preset,
    *,
    dataset: Dataset,
    data: Path | Sequence[Path],
    out: Path,
    folds: Sequence[int] | None = None,
    on_progress: Progress = lambda what, done, total: None,
) -> list[Path]:
    """Train what is missing of each fold's run, and let it answer for its fold; goes on where it was stopped.

    Args:
        preset: The recipe.
        dataset: ``load_dataset(data)``.
        data: The data set folders.
        out: The cross-validation's folder.
        folds: Which; None takes all that the train split has.
        on_progress: Called with (what, done, total).

    Returns:
        The runs' folders.
    """
    present = sorted({int(p.fold) for p in dataset.part(split="train")})
    chosen = present if folds is None else list(folds)
    if wrong := sorted(set(chosen) - set(present)):
        raise DatasetError(f"Expected folds among {present}. Received {wrong}.")
    runs = []
    for fold in chosen:
        run = out / f"fold-{fold}"
        if not (run / FOLD_FILE).is_file():
            train(
                preset,
                data=data,
                out=run,
                fold=fold,
                resume=(run / "run.json").is_file(),
                on_progress=partial(_say, on_progress, f"fold {fold}, "),
            )
            answer_fold(run, dataset, on_progress=partial(on_progress, f"fold {fold}, answers"))
        runs.append(run)
    return runs


def _say(on_progress: Progress, prefix: str, what: str, done: int, total: int) -> None:
    on_progress(prefix + what, done, total)


def answer_fold(
    run_folder: Path, dataset: Dataset, *, on_progress: Callable[[int, int], None] = lambda done, total: None
) -> FoldAnswers:
    """Let a finished run answer for the fold that validated it, and keep the answers beside it."""
    run = read_run(run_folder)
    check_same_data(run, dataset)
    _, photos = split_fold(dataset, run.fold)
    squares = load_squares(dataset, photos, run.preprocess, cache_dir=run_folder / "cache")
    network, kept = load_network(run)
    told, untold = view_logits(
        [network], squares, [p.metadata for p in photos], encoder=run.encoder, on_progress=on_progress
    )
    answers = FoldAnswers(run.fold, tuple(p.image_id for p in photos), told, untold, run.record, kept)
    write_answers(answers, run_folder / FOLD_FILE)
    return answers


def write_answers(answers: FoldAnswers, path: Path) -> None:
    """Write ``validation.npz``, whole or not at all; logits as float16."""
    partial_path = path.with_name(f"partial-{path.name}")
    with partial_path.open("wb") as file:
        np.savez_compressed(
            file,
            image_ids=np.array(answers.image_ids),
            told=answers.told.astype(np.float16),
            untold=answers.untold.astype(np.float16),
            record=np.array(json.dumps({**answers.record, "fold": answers.fold, "kept": answers.kept})),
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
        DatasetError: If the recipes answered for other photos or classes, or share no two folds.
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
    offsets = [np.log(first.shares[1]) - np.log(member.shares[1]) for member in members]
    return replace(
        first,
        told=np.concatenate([m.told + o for m, o in zip(members, offsets, strict=True)], axis=1),
        untold=np.concatenate([m.untold + o for m, o in zip(members, offsets, strict=True)], axis=1),
        record={**first.record, "members": [m.record["preset"] for m in members]},
        kept="; ".join(m.kept for m in members),
    )


@dataclass(frozen=True, slots=True)
class ServedFold:
    """A fold's predictions as a release would serve them.

    Attributes:
        fold: Which one.
        manifest: Temperature, threshold and sets, fitted on the other folds alone.
        photos: Names, in order.
        outputs: One a photo.
    """

    fold: int
    manifest: Manifest
    photos: tuple[str, ...]
    outputs: tuple[PhotoOutput, ...]


def serve_folds(
    folds: Sequence[FoldAnswers], dataset: Dataset, *, name: str, use_metadata: bool = True
) -> list[ServedFold]:
    """Calibrate each fold's answers with what the other folds say, so that no photo fits its own figures.

    Args:
        folds: Of one recipe or of ``join_recipes``.
        dataset: For the labels.
        name: Of the model.
        use_metadata: Whether the answers with metadata are served.
    """
    by_id = {p.image_id: p for p in dataset.photos}
    served = []
    for answers in folds:
        others = [other for other in folds if other.fold != answers.fold]
        fitted = _fit_manifest(others, [by_id[i] for other in others for i in other.image_ids], name=name)
        with_told = [make_prediction(one, fitted) for one in answers.told]
        without = [make_prediction(one, fitted) for one in answers.untold]
        shown = with_told if use_metadata else without
        outputs = [PhotoOutput(a, b, np.zeros(0)) for a, b in zip(shown, without, strict=True)]
        served.append(ServedFold(answers.fold, fitted, answers.image_ids, tuple(outputs)))
    return served


def _fit_manifest(folds: Sequence[FoldAnswers], photos: Sequence[Any], *, name: str) -> Manifest:
    first = folds[0]
    codes = tuple(first.record["codes"])
    class_shares, sampling_shares = first.shares
    logits = np.concatenate([answers.told for answers in folds])
    y_true = targets(photos, codes).argmax(axis=1)
    presets = first.record.get("members", [first.record["preset"]])
    no_sets = dict.fromkeys(HAM_CODES, 0.0)
    draft = Manifest(
        name=name,
        version="cross-validation",
        backbone=" + ".join(str(preset["backbone"]) for preset in presets),
        codes=codes,
        preprocess=read_config(first.record["preset"]),
        metadata_fields=tuple(first.record["metadata_fields"]),
        class_shares=tuple(class_shares),
        sampling_shares=tuple(sampling_shares),
        temperature=fit_temperature(logits, y_true, class_shares=class_shares, sampling_shares=sampling_shares),
        threshold=0.5,
        threshold_rule="not chosen yet",
        conformal={"90": no_sets, "95": no_sets},
        n_views=8,
        licence="",
        sha256="",
    )
    predictions: list[Prediction] = [make_prediction(one, draft) for one in logits]
    point = choose_threshold(predictions, photos)
    return replace(draft, threshold=point.threshold, threshold_rule=point.rule, conformal=fit_sets(predictions, photos))


class StoredPredictor:
    """Gives out answers that were computed before, in order; see ``model.predictor.Predictor``."""

    engine = "keras"

    def __init__(self, manifest: Manifest, outputs: Sequence[PhotoOutput]) -> None:
        self.manifest = manifest
        self._waiting = iter(outputs)

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """Return the next ``len(squares)`` answers."""
        return [next(self._waiting) for _ in squares]


def write_pooled(
    folds: Sequence[FoldAnswers],
    dataset: Dataset,
    *,
    name: str,
    out: Path,
    on_progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Measure all folds' photos as one data set, with and without metadata, and write both evaluations.

    Args:
        folds: Of one recipe or of ``join_recipes``.
        dataset: That was cross-validated.
        name: Of the model; ends up in the files.
        out: Gets ``cross-validation/`` and ``cross-validation-no-metadata/``.
        on_progress: Called with (what, done, total).

    Returns:
        The metrics with metadata.
    """
    by_id = {p.image_id: p for p in dataset.photos}
    found: dict[str, Any] = {}
    for evaluation, use_metadata in EVALUATIONS.items():
        served = serve_folds(folds, dataset, name=name, use_metadata=use_metadata)
        results = {
            str(one.fold): predict_photos(
                StoredPredictor(one.manifest, one.outputs),
                [by_id[i] for i in one.photos],
                dataset.files,
                use_metadata=use_metadata,
                on_progress=partial(on_progress, f"{evaluation}, fold {one.fold}"),
            )
            for one in served
        }
        metrics = write_fold_evaluation(
            results,
            served[0].manifest,
            out=out / evaluation,
            engine=StoredPredictor.engine,
            use_metadata=use_metadata,
            thresholds={str(one.fold): one.manifest.threshold for one in served},
        )
        found = found or metrics
    return found
