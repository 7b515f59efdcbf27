"""Cross-validation by lesion: every fold's photos answered, as served, by networks that never saw their lesions.

A cross-validation's folder holds one run a fold (``fold-0`` ...), each with ``validation.npz``: what the run answers for
its own fold, view by view. Those files suffice to pool one recipe's folds, or to try several recipes as an ensemble,
without training anything again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, Metadata
from ..errors import DatasetError
from ..evaluation.evaluate import predict_photos
from ..evaluation.folds import write_fold_evaluation
from ..model.manifest import Manifest
from ..model.predictor import PhotoOutput, make_prediction
from ..tables import LabelledPhoto
from .data import Dataset, load_squares
from .finished_run import check_same_data, load_network, read_run, view_logits
from .fit import train
from .fold_answers import FOLD_FILE, FoldAnswers, write_answers
from .operating import fit_decisions, shares_by_type
from .presets import Preset
from .release import draft_manifest
from .run_setup import split_fold

# Name -> (how the photos were taken, whether the network is told age, sex and site). Never pooled over both types.
EVALUATIONS = {
    "cross-validation": (ImageType.DERMOSCOPIC, True),
    "cross-validation-no-metadata": (ImageType.DERMOSCOPIC, False),
    "cross-validation-phone": (ImageType.CLINICAL, True),
    "cross-validation-phone-no-metadata": (ImageType.CLINICAL, False),
}
Progress = Callable[[str, int, int], None]


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
        fitted = _fit_on(others, [by_id[i] for other in others for i in other.image_ids], name=name)
        settings = [fitted.as_for(by_id[i].metadata.image_type) for i in answers.image_ids]
        with_told = [make_prediction(one, own) for one, own in zip(answers.told, settings, strict=True)]
        without = [make_prediction(one, own) for one, own in zip(answers.untold, settings, strict=True)]
        shown = with_told if use_metadata else without
        outputs = [PhotoOutput(a, b, np.zeros(0)) for a, b in zip(shown, without, strict=True)]
        served.append(ServedFold(answers.fold, fitted, answers.image_ids, tuple(outputs)))
    return served


def _fit_on(folds: Sequence[FoldAnswers], photos: Sequence[LabelledPhoto], *, name: str) -> Manifest:
    record = folds[0].record
    draft = draft_manifest(record, folds[0].recipes, name=name, version="cross-validation")
    logits = np.concatenate([answers.told for answers in folds])
    return fit_decisions(draft, logits, photos, shares_by_type(record), where="the other folds")[0]


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
    """Measure all folds' photos as one data set, with and without metadata, those of phones apart; write what was found.

    Args:
        folds: Of one recipe or of ``join_recipes``.
        dataset: That was cross-validated.
        name: Of the model; ends up in the files.
        out: Gets a folder for each of ``EVALUATIONS`` that has photos.
        on_progress: Called with (what, done, total).

    Returns:
        The metrics of dermoscopic photos with metadata.
    """
    by_id = {p.image_id: p for p in dataset.photos}
    found: dict[str, Any] = {}
    for evaluation, (image_type, use_metadata) in EVALUATIONS.items():
        served = [
            _only(one, image_type, by_id) for one in serve_folds(folds, dataset, name=name, use_metadata=use_metadata)
        ]
        if not any(one.photos for one in served):
            continue
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
            served[0].manifest.as_for(image_type),
            out=out / evaluation,
            engine=StoredPredictor.engine,
            use_metadata=use_metadata,
            thresholds={str(one.fold): one.manifest.as_for(image_type).threshold for one in served},
            recipes=folds[0].recipes,
        )
        found = found or metrics
    return found


def _only(served: ServedFold, image_type: ImageType, by_id: Mapping[str, LabelledPhoto]) -> ServedFold:
    """Keep the photos of one type; those of no stated type count as dermoscopic, as in training."""
    is_clinical = image_type is ImageType.CLINICAL
    kept = [
        (photo, output)
        for photo, output in zip(served.photos, served.outputs, strict=True)
        if (by_id[photo].metadata.image_type is ImageType.CLINICAL) is is_clinical
    ]
    return replace(served, photos=tuple(p for p, _ in kept), outputs=tuple(o for _, o in kept))
