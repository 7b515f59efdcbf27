"""One result a photo, their table as arrays, and the ``predictions.csv`` that others script against."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..domain import ImageType, NextStep, Prediction, Reason, Status
from ..tables import LabelledPhoto, group_of
from ..taxonomy import CLASSES, HAM_CODES, ham_code

LEVELS = ("90", "95")


@dataclass(frozen=True, slots=True)
class PhotoResult:
    """What became of one labelled photo.

    Attributes:
        photo: Its row of the labels table.
        prediction: None when the photo is missing or cannot be decoded.
        status: As the gate of a screening would have it; a refused photo is predicted all the same.
        refusal: Why the gate refuses it; None otherwise.
        next_step: As a screening without answers to the questions would say.
        image_type: How the photo was taken, as the evaluation was told.
        ita_band: How light the skin in the photo looks, see ``imaging.skin_tone``, or ``no estimate``; empty where the
            photo was not looked at.
        calmest_step: As a screening would say in which every question was answered calmly; None where that was not asked.
    """

    photo: LabelledPhoto
    prediction: Prediction | None
    status: Status
    refusal: Reason | None
    next_step: NextStep
    image_type: ImageType = ImageType.DERMOSCOPIC
    ita_band: str = ""
    calmest_step: NextStep | None = None


@dataclass(frozen=True, slots=True)
class ResultTable:
    """The predicted photos as arrays.

    Attributes:
        results: n_samples results, each with a prediction.
        y_true: Index into ``HAM_CODES``, shape (n_samples,); -1 where only malignancy is known.
        y_pred: Index of the class shown first.
        y_prob: Array (n_samples, 7).
        is_malignant: Booleans (n_samples,).
        p_malignant: Shape (n_samples,).
        is_above: Whether ``p_malignant`` reaches the threshold of the network that answered, booleans (n_samples,).
        in_set: Level -> booleans (n_samples, 7).
        groups: What is resampled as one: the patient where known, else the lesion, else the photo.
    """

    results: tuple[PhotoResult, ...]
    y_true: npt.NDArray[np.intp]
    y_pred: npt.NDArray[np.intp]
    y_prob: npt.NDArray[np.float64]
    is_malignant: npt.NDArray[np.bool_]
    p_malignant: npt.NDArray[np.float64]
    is_above: npt.NDArray[np.bool_]
    in_set: dict[str, npt.NDArray[np.bool_]]
    groups: tuple[str, ...]

    @property
    def has_classes(self) -> bool:
        """Whether every photo's diagnosis is known, not only whether it is malignant."""
        return bool(len(self.y_true)) and bool((self.y_true >= 0).all())

    @property
    def is_melanoma(self) -> npt.NDArray[np.bool_]:
        """Booleans (n_samples,); False where the diagnosis is not known."""
        return np.asarray(self.y_true == HAM_CODES.index("mel"), bool)

    @property
    def knows_melanoma(self) -> bool:
        """Whether each photo is known to show melanoma or not: what is not malignant is none."""
        return bool(len(self.y_true)) and bool(((self.y_true >= 0) | ~self.is_malignant).all())


def make_table(results: Sequence[PhotoResult]) -> ResultTable:
    """Turn results into arrays; those without a prediction are left out."""
    rows = [(r, r.prediction) for r in results if r.prediction is not None]
    index = {code: i for i, code in enumerate(HAM_CODES)}
    return ResultTable(
        results=tuple(r for r, _ in rows),
        y_true=np.array([index[ham_code(r.photo.dx)] if r.photo.dx else -1 for r, _ in rows], np.intp),
        y_pred=np.array([index[p.predicted] for _, p in rows], np.intp),
        y_prob=np.array([p.ham_probabilities for _, p in rows], np.float64).reshape(-1, len(HAM_CODES)),
        is_malignant=np.array([r.photo.is_malignant for r, _ in rows], bool),
        p_malignant=np.array([p.p_malignant for _, p in rows], np.float64),
        is_above=np.array([p.is_above_threshold for _, p in rows], bool),
        in_set={
            level: np.array(
                [[code in getattr(p, f"set_{level}") for code in HAM_CODES] for _, p in rows], bool
            ).reshape(-1, len(HAM_CODES))
            for level in LEVELS
        },
        groups=tuple(group_of(r.photo) for r, _ in rows),
    )


def only_image_type(results: Sequence[PhotoResult]) -> ImageType | None:
    """Return how the photos were taken where all were taken alike: it decides which threshold answered."""
    types = {result.image_type for result in results}
    return types.pop() if len(types) == 1 else None


def probability_columns(codes: Sequence[str]) -> list[str]:
    """Return the ``p_`` columns: HAM10000's seven, then the model's finer classes, in taxonomy order.

    >>> probability_columns(["nv", "scc"])[-2:]
    ['p_vasc', 'p_scc']
    """
    finer = [c.code for c in CLASSES if c.code in codes and c.code not in HAM_CODES]
    return [f"p_{code}" for code in (*HAM_CODES, *finer)]


def predictions_csv(results: Sequence[PhotoResult], codes: Sequence[str], *, folds: Sequence[str] = ()) -> str:
    """Return the text of ``predictions.csv``, one line a labelled photo, in the order of the labels table.

    Args:
        results: One a photo.
        codes: The model's classes.
        folds: The fold each photo was held out in, as a last column; without them there is no such column.
    """
    p_columns = probability_columns(codes)
    columns = ["image_id", *p_columns, "p_malignant", "predicted", "refused", "refusal_reason", "set", "set_95"]
    columns += ["next_step", "dx", "lesion_id", "disagreement", "calmest_step", *(["fold"] if folds else [])]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n", restval="")
    writer.writeheader()
    for result, fold in zip(results, folds or [""] * len(results), strict=True):
        writer.writerow(_row(result) | ({"fold": fold} if folds else {}))
    return text.getvalue()


def _row(result: PhotoResult) -> dict[str, str]:
    row = {
        "image_id": result.photo.image_id,
        "refused": str(int(result.status is Status.REFUSED)),
        "refusal_reason": result.refusal.code if result.refusal else "",
        "next_step": str(result.next_step),
        "calmest_step": str(result.calmest_step or ""),
        "dx": result.photo.dx,
        "lesion_id": result.photo.lesion_id,
    }
    p = result.prediction
    if p is None:
        return row
    finer = {f"p_{code}": value for code, value in zip(p.codes, p.probabilities, strict=True)}
    seven = {f"p_{code}": value for code, value in zip(HAM_CODES, p.ham_probabilities, strict=True)}
    # Eight figures: enough that every measure can be computed again from the file.
    shown = {name: f"{value:.8g}" for name, value in (finer | seven | _single_numbers(p)).items()}
    return row | shown | {"predicted": p.predicted, "set": "|".join(p.set_90), "set_95": "|".join(p.set_95)}


def _single_numbers(prediction: Prediction) -> dict[str, float]:
    return {"p_malignant": prediction.p_malignant, "disagreement": prediction.disagreement}
