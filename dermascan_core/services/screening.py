"""Screens one lesion: its photos and the person's answers in, one record with a next step out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from .. import __version__
from ..domain import (
    Answers,
    CropBox,
    ImageType,
    Metadata,
    PhoneTest,
    PhotoScreening,
    QualityReport,
    Reason,
    Screening,
    Status,
    most_urgent,
)
from ..errors import PhotoError
from ..imaging.crop import clamp_crop, find_crop
from ..imaging.decode import MIN_SIDE_PX, decode_photo
from ..imaging.preprocess import preprocess
from ..imaging.quality import assess_quality
from ..model.predictor import PhotoOutput, Predictor
from ..triage.policy import decide_next_step, untested_reason
from ..triage.wording import UNSURE_SENTENCE
from .performance import calm_rate
from .similar_cases import find_similar

Stage = Callable[[str, float], None]


def screen_lesion(
    photos: Sequence[tuple[str, bytes]],
    *,
    metadata: Metadata,
    answers: Answers,
    image_type: ImageType,
    predictor: Predictor,
    crops: Sequence[CropBox | None] | None = None,
    steps: Sequence[str] = (),
    explain: bool = False,
    on_stage: Stage = lambda sentence, share: None,
) -> Screening:
    """Screen the photos of one lesion.

    A photo that cannot be used is recorded as refused, with its reason; the others go on.

    Args:
        photos: (file name, bytes) in upload order.
        metadata, answers, image_type: What was asked.
        predictor: The model.
        crops: One square a photo where it was set by hand; None finds the lesion.
        steps: Names of optional imaging steps, applied after the model's own.
        explain: Also compute heat maps.
        on_stage: Called with (sentence, share done in [0, 1]).
    """
    screened = []
    for index, ((name, data), crop) in enumerate(zip(photos, crops or [None] * len(photos), strict=True)):
        label = f"photo {index + 1} of {len(photos)}" if len(photos) > 1 else "the photo"

        def report(what: str, share: float, *, label: str = label, index: int = index) -> None:
            on_stage(f"{what} {label}", (index + share) / max(len(photos), 1))

        one = _PhotoTask(name, data, crop, metadata, answers, image_type, tuple(steps), explain)
        screened.append(_screen_photo(one, predictor, report))
    on_stage("Done", 1.0)
    return _combine(screened, metadata=metadata, answers=answers, image_type=image_type, predictor=predictor)


@dataclass(frozen=True, slots=True)
class _PhotoTask:
    """One photo and what was said about it."""

    name: str
    data: bytes
    crop: CropBox | None
    metadata: Metadata
    answers: Answers
    image_type: ImageType
    steps: tuple[str, ...]
    explain: bool


def _screen_photo(task: _PhotoTask, predictor: Predictor, report: Stage) -> PhotoScreening:
    started = time.perf_counter()

    def refuse(reason: Reason, **known: object) -> PhotoScreening:
        step, _ = decide_next_step(
            answers=task.answers,
            metadata=task.metadata,
            image_type=task.image_type,
            status=Status.REFUSED,
            prediction=None,
            prediction_without_metadata=None,
        )
        blank = PhotoScreening(task.name, Status.REFUSED, reason, None, None, None, None, step)
        return replace(blank, elapsed_ms=_since_ms(started), **known)  # type: ignore[arg-type]

    report("Reading", 0.05)
    try:
        rgb = decode_photo(task.data)
    except PhotoError as error:
        return refuse(Reason(error.code, str(error)))

    report("Checking the quality of", 0.3)
    height, width = rgb.shape[:2]
    crop = find_crop(rgb) if task.crop is None else clamp_crop(task.crop, width_px=width, height_px=height)
    quality = assess_quality(rgb, crop)
    if task.crop is not None and task.crop.side_px < MIN_SIDE_PX:
        return refuse(_crop_too_small(task.crop), quality=quality, crop=crop)
    if not quality.is_usable:
        return refuse(quality.failures[0], quality=quality, crop=crop)
    phone_test = predictor.manifest.phone_test
    if untested := untested_reason(task.answers, task.metadata, task.image_type, phone_test=phone_test):
        return refuse(untested, quality=quality, crop=crop)

    report("Asking the model about", 0.5)
    config = predictor.manifest.preprocess
    square = preprocess(rgb, replace(config, steps=config.steps + task.steps), crop=crop)
    output = predictor.predict(square[np.newaxis], [_told(task)], explain=task.explain)[0]
    similar = find_similar(output.embedding, predictor.manifest, task.image_type)
    return _answered(
        task,
        output,
        quality,
        started,
        phone_test=phone_test,
        crop=crop,
        square=square,
        similar=similar,
    )


def _told(task: _PhotoTask) -> Metadata:
    """What a network may be told: beside the metadata, how the photo was taken and what the person noticed.

    "Hurts or itches" and "new and growing" are two things in one question: only a no answers both, only a yes the second.
    """
    answers = task.answers
    calm = False if answers.painful is False else None
    return replace(
        task.metadata,
        image_type=task.image_type,
        changed=answers.changing,
        bleed=answers.bleeding,
        itch=calm,
        hurt=calm,
        grew=True if answers.new else None,
    )


def _crop_too_small(crop: CropBox) -> Reason:
    return Reason(
        "crop_too_small",
        f"The square set by hand must be at least {MIN_SIDE_PX} px wide. Received {crop.side_px} px. "
        "Make it larger, or take the photo closer.",
    )


def _answered(
    task: _PhotoTask,
    output: PhotoOutput,
    quality: QualityReport,
    started: float,
    *,
    phone_test: PhoneTest | None,
    **known: object,
) -> PhotoScreening:
    is_unsure = output.prediction.is_unsure
    status = Status.UNSURE if is_unsure else Status.ANSWERED
    step, _ = decide_next_step(
        answers=task.answers,
        metadata=task.metadata,
        image_type=task.image_type,
        status=status,
        prediction=output.prediction,
        prediction_without_metadata=output.prediction_without_metadata,
        warnings=_warning_codes(quality),
        phone_test=phone_test,
    )
    photo = PhotoScreening(
        name=task.name,
        status=status,
        reason=Reason("unsure", UNSURE_SENTENCE) if is_unsure else None,
        quality=quality,
        crop=None,
        prediction=output.prediction,
        prediction_without_metadata=output.prediction_without_metadata,
        next_step=step,
        heat_maps=output.heat_maps,
    )
    return replace(photo, elapsed_ms=_since_ms(started), **known)  # type: ignore[arg-type]


def _combine(
    photos: Sequence[PhotoScreening],
    *,
    metadata: Metadata,
    answers: Answers,
    image_type: ImageType,
    predictor: Predictor,
) -> Screening:
    """The most urgent photo decides; a refused photo beside answered ones only keeps them from calming."""
    answered = [p for p in photos if p.prediction is not None]
    leading = max(answered, key=lambda p: p.next_step.urgency, default=None)
    step, reasons = decide_next_step(
        answers=answers,
        metadata=metadata,
        image_type=image_type,
        status=Status.REFUSED if leading is None else leading.status,
        prediction=None if leading is None else leading.prediction,
        prediction_without_metadata=None if leading is None else leading.prediction_without_metadata,
        warnings=() if leading is None else _warning_codes(leading.quality),
        n_refused=len(photos) - len(answered),
        n_photos=len(photos),
        phone_test=predictor.manifest.phone_test,
    )
    return Screening(
        photos=tuple(photos),
        metadata=metadata,
        answers=answers,
        image_type=image_type,
        next_step=most_urgent(step, *(p.next_step for p in answered)),
        step_reasons=reasons,
        disagreement=_disagreement(answered),
        model=predictor.manifest.name,
        model_sha256=predictor.manifest.sha256,
        engine=predictor.engine,
        app_version=__version__,
        screened_at=datetime.now(UTC).isoformat(timespec="seconds"),
        calm_rate=calm_rate(predictor.manifest),
        phone_test=predictor.manifest.phone_test,
    )


def _warning_codes(quality: QualityReport | None) -> tuple[str, ...]:
    return () if quality is None else tuple(warning.code for warning in quality.warnings)


def _disagreement(photos: Sequence[PhotoScreening]) -> str | None:
    """Say when photos of one lesion are answered differently; the reader must not average them in the head."""
    first = {p.prediction.predicted for p in photos if p.prediction is not None}
    steps = {p.next_step for p in photos}
    if len(photos) < 2 or (len(first) == 1 and len(steps) == 1):
        return None
    return (
        f"The {len(photos)} photos of this lesion were answered differently. "
        "The next step follows the most urgent one. Show all of them to a doctor."
    )


def _since_ms(started: float) -> float:
    return (time.perf_counter() - started) * 1000
