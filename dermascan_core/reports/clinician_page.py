"""The parts of the page that only a clinician gets: every number behind the answer, and what the person said."""

from __future__ import annotations

from collections.abc import Mapping

from ..domain import PhotoScreening, Prediction, Screening, Status
from ..triage.told import seven_point_words, told_words
from ..triage.wording import Voice, class_name
from .paper import Column, Page


def draw_numbers(
    page: Page, screening: Screening, photo: PhotoScreening, prediction: Prediction, column: Column
) -> None:
    """Write p(malignant) beside the threshold, both prediction sets, and how steady the answer is."""
    page.gap(4)
    page.write(threshold_words(screening, prediction), size=22, is_bold=True, column=column)
    for sentence in number_sentences(photo, prediction):
        page.write(sentence, size=21, column=column)


def draw_told(page: Page, screening: Screening) -> None:
    """Write what the person answered, what they left open, and the 7-point score that follows."""
    answers, metadata = screening.answers, screening.metadata
    page.points(
        "What the person answered", [seven_point_words(answers, metadata), *told_words(metadata, answers)], size=22
    )


def draw_measures(page: Page, photo: PhotoScreening) -> None:
    """Write what was measured of the photo itself, before and beside any class."""
    page.points("Photo quality and gate", measure_sentences(photo), size=22)


def threshold_words(screening: Screening, prediction: Prediction) -> str:
    """Return p(malignant) and on which side of the operating threshold it stands."""
    side = "at or above" if prediction.is_above_threshold else "below"
    threshold = "(value not recorded)" if screening.threshold is None else f"{screening.threshold:.4f}"
    return f"p(malignant) = {prediction.p_malignant:.4f}, {side} the operating threshold {threshold}."


def number_sentences(photo: PhotoScreening, prediction: Prediction) -> list[str]:
    """Return the sets, the calm line, the views, the small changes and the answer from the photo alone."""
    calm_side = "at or above" if prediction.is_above_calm_line else "below"
    sentences = [
        f"90 % prediction set: {_names(prediction.set_90)}. 95 %: {_names(prediction.set_95)}.",
        f"p(malignant) is {calm_side} the calm line. {prediction.views_agreeing} of {prediction.n_views} flips and "
        f"rotations show {class_name(prediction.predicted, Voice.CLINICIAN)} first.",
    ]
    if (repeated := photo.repeatability) is not None:
        sentences.append(
            f"{repeated.n_changed} of {len(repeated.changes)} small changes of the photo changed the answer."
        )
    alone = photo.prediction_without_metadata
    if alone is not None and alone is not prediction:
        sentences.append(
            f"From the photo alone: p(malignant) = {alone.p_malignant:.4f}, "
            f"{class_name(alone.predicted, Voice.CLINICIAN)} shown first."
        )
    return sentences


def measure_sentences(photo: PhotoScreening) -> list[str]:
    """Return the quality measures with what was noted, and the gate's scores; or that there are none."""
    quality = photo.quality
    sentences = ["Quality was not measured: the photo could not be read."]
    if quality is not None:
        noted = [reason.sentence for reason in (*quality.failures, *quality.warnings)]
        sentences = [f"Quality: {_listed(quality.measures)}.", *noted]
    gate = _listed(photo.gate_scores)
    return [*sentences, f"Gate: {gate}." if gate else "Gate: no scores for this photo."]


def all_photos_words(screening: Screening) -> list[str]:
    """Return one sentence for each of several photos, so that the page with one of them hides none; else nothing."""
    if len(screening.photos) < 2:
        return []
    return [_photo_words(number, photo) for number, photo in enumerate(screening.photos, start=1)]


def _photo_words(number: int, photo: PhotoScreening) -> str:
    if photo.prediction is None or photo.status is Status.REFUSED:
        why = "" if photo.reason is None else f" {photo.reason.sentence}"
        return f"Photo {number}: not assessed.{why}"
    unsure = " The model is unsure." if photo.status is Status.UNSURE else ""
    shown = class_name(photo.prediction.predicted, Voice.CLINICIAN)
    return f"Photo {number}: p(malignant) = {photo.prediction.p_malignant:.4f}, {shown} shown first.{unsure}"


def _names(codes: tuple[str, ...]) -> str:
    return ", ".join(class_name(code, Voice.CLINICIAN) for code in codes)


def _listed(measures: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3g}" for name, value in measures.items())
