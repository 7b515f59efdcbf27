"""Screens one lesion: its photos and the person's answers in, one record with a next step out."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..domain import (
    Answers,
    ArtefactCheck,
    CropBox,
    ImageType,
    Metadata,
    NextStep,
    PhoneTest,
    PhotoScreening,
    Prediction,
    QualityReport,
    Reason,
    Repeatability,
    Screening,
    Status,
    most_urgent,
)
from ..errors import PhotoError
from ..evaluation.repeatability import meter_repeatability
from ..imaging.artefacts import find_artefacts
from ..imaging.crop import clamp_crop, find_crop
from ..imaging.decode import MIN_SIDE_PX, decode_photo
from ..imaging.preprocess import preprocess
from ..imaging.quality import assess_quality
from ..imaging.segment import look_for_lesion
from ..imaging.steps import paint_over
from ..model.predictor import PhotoOutput, Predictor
from ..triage.evidence import not_repeatable_sentence
from ..triage.policy import decide_next_step, untested_reason
from ..triage.refusals import MAX_REFUSALS, WITHHELD, asks_for_retake
from ..triage.two_kinds import say_which_photo
from ..triage.wording import UNSURE_SENTENCE
from ..trust.gate import GateScores
from .performance import calm_rate, repeatability_limit
from .similar_cases import find_similar
from .withholding import Withholding, read_withholding

Stage = Callable[[str, float], None]
_SURELY = 0.9
LOOKS_CLINICAL = (
    "You said that a dermatoscope took this photo, but it looks like a photo of a phone or camera. If it is, choose that: "
    "the model answers such photos differently."
)


def screen_lesion(
    photos: Sequence[tuple[str, bytes | Reason]],
    *,
    metadata: Metadata,
    answers: Answers,
    image_type: ImageType,
    predictor: Predictor,
    image_types: Sequence[ImageType | None] | None = None,
    crops: Sequence[CropBox | None] | None = None,
    steps: Sequence[str] = (),
    explain: bool = False,
    repeat: bool = False,
    compare: bool = True,
    n_refused_before: int = 0,
    withheld: Withholding | None = None,
    on_stage: Stage = lambda sentence, share: None,
) -> Screening:
    """Screen the photos of one lesion.

    A photo that cannot be used is recorded as refused, with its reason; the others go on. Photos of two types are fused
    late: each is answered by what holds for its own type, and the most urgent next step counts; no shares are joined.

    Args:
        photos: (file name, bytes) in upload order; or, of one that could not even be read, why.
        metadata, answers, image_type: What was asked.
        predictor: The model.
        image_types: One a photo where it was taken in another way than ``image_type``; None for as that says.
        crops: One square a photo where it was set by hand; None finds the lesion.
        steps: Names of optional imaging steps, applied after the model's own.
        explain: Also compute heat maps.
        repeat: Also look twice: answer the photo with hair, ink and the like painted over, of which the more urgent
            answer counts, and small changes of it; an answer that changes too often is unsure.
        compare: Also find similar labelled photos, for whoever shows them.
        n_refused_before: How many other photos of this lesion were refused before; after two in all, none of them
            judged, the next step is a doctor.
        withheld: What is withheld; None asks this installation's kill switch, once for all photos of the lesion.
        on_stage: Called with (sentence, share done in [0, 1]).
    """
    withheld = withheld or read_withholding()
    screened = []
    types = [own or image_type for own in image_types or [None] * len(photos)]
    crops = crops or [None] * len(photos)
    for index, ((name, data), crop, own) in enumerate(zip(photos, crops, types, strict=True)):
        label = f"photo {index + 1} of {len(photos)}" if len(photos) > 1 else "the photo"

        def report(what: str, share: float, *, label: str = label, index: int = index) -> None:
            on_stage(f"{what} {label}", (index + share) / max(len(photos), 1))

        one = _PhotoTask(name, data, crop, metadata, answers, own, tuple(steps), explain, repeat, compare, withheld)
        threshold = predictor.manifest.as_for(own).threshold
        screened.append(replace(_screen_photo(one, predictor, report), image_type=own, threshold=threshold))
    on_stage("Done", 1.0)
    refused = [p.reason for p in screened if p.status is Status.REFUSED and p.reason is not None]
    n_refused = n_refused_before + sum(map(asks_for_retake, refused))
    is_clinical = ImageType.CLINICAL in (types or [image_type])
    return _combine(
        screened,
        metadata=metadata,
        answers=answers,
        image_type=ImageType.CLINICAL if is_clinical else ImageType.DERMOSCOPIC,
        predictor=predictor,
        is_given_up=n_refused >= MAX_REFUSALS,
        is_calm_withheld=withheld.bars_calm,
    )


@dataclass(frozen=True, slots=True)
class _PhotoTask:
    """One photo and what was said about it."""

    name: str
    data: bytes | Reason
    crop: CropBox | None
    metadata: Metadata
    answers: Answers
    image_type: ImageType
    steps: tuple[str, ...]
    explain: bool
    repeat: bool
    compare: bool
    withheld: Withholding


@dataclass(frozen=True, slots=True)
class _SecondLooks:
    """What else the model was asked about a photo; None where it was not."""

    artefacts: ArtefactCheck | None
    repeatability: Repeatability | None


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

    if task.withheld.bars_all:
        return refuse(Reason(WITHHELD, task.withheld.words))
    report("Reading", 0.05)
    if isinstance(task.data, Reason):
        return refuse(task.data)
    try:
        rgb = decode_photo(task.data)
    except PhotoError as error:
        return refuse(Reason(error.code, str(error)))

    report("Checking the quality of", 0.3)
    height, width = rgb.shape[:2]
    sight = look_for_lesion(rgb)
    by_hand = None if task.crop is None else clamp_crop(task.crop, width_px=width, height_px=height)
    crop = by_hand or find_crop(rgb, sight=sight)
    quality = assess_quality(rgb, crop, sight=sight)
    if task.crop is not None and task.crop.side_px < MIN_SIDE_PX:
        return refuse(_crop_too_small(task.crop), quality=quality, crop=crop)
    if not quality.is_usable:
        return refuse(quality.failures[0], quality=quality, crop=crop)
    phone_test = predictor.manifest.phone_test
    if untested := untested_reason(task.answers, task.metadata, task.image_type, phone_test=phone_test):
        return refuse(untested, quality=quality, crop=crop)

    report("Asking the model about", 0.5)
    config, told = predictor.manifest.preprocess, _told(task)
    square = preprocess(rgb, replace(config, steps=config.steps + task.steps), crop=crop)
    output = predictor.predict(square[np.newaxis], [told], explain=task.explain)[0]
    scores = {} if output.gate is None else asdict(output.gate)
    if output.gate is not None:
        if output.gate.refusal is not None:
            return refuse(output.gate.refusal, quality=quality, crop=crop, gate_scores=scores)
        quality = _with_kind_warning(quality, output.gate, task.image_type)
    artefacts = repeatability = None
    if task.repeat:
        report("Looking for hair and ink in", 0.6)
        artefacts = _without_artefacts(square, told, predictor)
        report("Making small changes to", 0.7)
        limit = repeatability_limit(predictor.manifest)
        repeatability = meter_repeatability(predictor, rgb, crop, output, told, steps=task.steps, limit=limit)
    looks = _SecondLooks(artefacts, repeatability)
    similar = find_similar(output.embedding, predictor.manifest, task.image_type) if task.compare else ()
    return _answered(
        task,
        output,
        quality,
        started,
        second_looks=looks,
        phone_test=phone_test,
        crop=crop,
        square=square,
        similar=similar,
        gate_scores=scores,
    )


def _without_artefacts(square: npt.NDArray[np.uint8], told: Metadata, predictor: Predictor) -> ArtefactCheck:
    """Look for what lies over the skin; where it covers enough, paint it over and ask again."""
    found = find_artefacts(square)
    if not found.flagged:
        return ArtefactCheck(found.shares, ())
    painted = paint_over(square, found.mask)
    again = predictor.predict(painted[np.newaxis], [told])[0].prediction
    return ArtefactCheck(found.shares, found.flagged, again, painted)


def _painted_over(artefacts: ArtefactCheck | None) -> Prediction | None:
    return None if artefacts is None else artefacts.prediction


def _told(task: _PhotoTask) -> Metadata:
    return told_metadata(task.metadata, task.answers, task.image_type)


def told_metadata(metadata: Metadata, answers: Answers, image_type: ImageType) -> Metadata:
    """Return what a network may be told: beside the metadata, how the photo was taken and what the person noticed.

    "Hurts or itches" and "new and growing" are two things in one question: only a no answers both, only a yes the second.
    """
    calm = False if answers.painful is False else None
    return replace(
        metadata,
        image_type=image_type,
        changed=answers.changing,
        bleed=answers.bleeding,
        itch=calm,
        hurt=calm,
        grew=True if answers.new else None,
    )


def _with_kind_warning(quality: QualityReport, gate: GateScores, said: ImageType) -> QualityReport:
    """Doubt what took the photo, where it clearly looks like the other kind: the person may have ticked the wrong box."""
    is_other = said is ImageType.DERMOSCOPIC and gate.p_clinical > _SURELY
    if not is_other:
        return quality
    return replace(quality, warnings=(*quality.warnings, Reason("looks_clinical", LOOKS_CLINICAL)))


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
    second_looks: _SecondLooks,
    phone_test: PhoneTest | None,
    **known: object,
) -> PhotoScreening:
    reason = _why_unsure(output, second_looks.repeatability)
    status = Status.ANSWERED if reason is None else Status.UNSURE
    step, _ = decide_next_step(
        answers=task.answers,
        metadata=task.metadata,
        image_type=task.image_type,
        status=status,
        prediction=output.prediction,
        prediction_without_metadata=output.prediction_without_metadata,
        prediction_without_artefacts=_painted_over(second_looks.artefacts),
        warnings=_warning_codes(quality),
        phone_test=phone_test,
        is_calm_withheld=task.withheld.bars_calm,
    )
    photo = PhotoScreening(
        name=task.name,
        status=status,
        reason=reason,
        quality=quality,
        crop=None,
        prediction=output.prediction,
        prediction_without_metadata=output.prediction_without_metadata,
        next_step=step,
        heat_maps=output.heat_maps,
        heat_maps_plus_plus=output.heat_maps_plus_plus,
        metadata_effects=output.metadata_effects,
        repeatability=second_looks.repeatability,
        artefacts=second_looks.artefacts,
    )
    return replace(photo, elapsed_ms=_since_ms(started), **known)  # type: ignore[arg-type]


def _why_unsure(output: PhotoOutput, repeatability: Repeatability | None) -> Reason | None:
    if output.prediction.is_unsure:
        return Reason("unsure", UNSURE_SENTENCE)
    if repeatability is not None and repeatability.is_unsure:
        return Reason("not_repeatable", not_repeatable_sentence(repeatability))
    return None


def _combine(
    photos: Sequence[PhotoScreening],
    *,
    metadata: Metadata,
    answers: Answers,
    image_type: ImageType,
    predictor: Predictor,
    is_given_up: bool,
    is_calm_withheld: bool,
) -> Screening:
    """The most urgent photo decides; a refused photo beside answered ones only keeps them from calming.

    Photos of two types are decided type by type; the reasons are those of the type that asks for the most urgent step,
    or of both where both do. Of several photos, a reason that speaks of one says which.
    """
    answered = [p for p in photos if p.prediction is not None]

    def decide(leading: PhotoScreening | None) -> tuple[NextStep, tuple[str, ...]]:
        return decide_next_step(
            answers=answers,
            metadata=metadata,
            image_type=image_type if leading is None else leading.image_type or image_type,
            status=Status.REFUSED if leading is None else leading.status,
            prediction=None if leading is None else leading.prediction,
            prediction_without_metadata=None if leading is None else leading.prediction_without_metadata,
            prediction_without_artefacts=None if leading is None else _painted_over(leading.artefacts),
            warnings=() if leading is None else _warning_codes(leading.quality),
            n_refused=len(photos) - len(answered),
            n_photos=len(photos),
            phone_test=predictor.manifest.phone_test,
            is_given_up=is_given_up,
            is_calm_withheld=is_calm_withheld,
        )

    leading_ones: list[PhotoScreening | None] = [*_leading_of_each_type(answered)] or [None]
    decided = [decide(leading) for leading in leading_ones]
    step = most_urgent(*(step for step, _ in decided))
    reasons = dict.fromkeys(reason for one, reasons in decided if one is step for reason in reasons)
    if len(photos) > 1:
        by_photo = {n: decide(photo)[1] for n, photo in enumerate(photos, start=1) if photo.prediction is not None}
        reasons = dict.fromkeys(
            say_which_photo(reason, [n for n, of_photo in by_photo.items() if reason in of_photo]) for reason in reasons
        )
    return Screening(
        photos=tuple(photos),
        metadata=metadata,
        answers=answers,
        image_type=image_type,
        next_step=most_urgent(step, *(p.next_step for p in answered)),
        step_reasons=tuple(reasons),
        disagreement=_disagreement(answered),
        model=predictor.manifest.name,
        model_sha256=predictor.manifest.sha256,
        engine=predictor.engine,
        app_version=__version__,
        screened_at=datetime.now(UTC).isoformat(timespec="seconds"),
        calm_rate=calm_rate(predictor.manifest),
        phone_test=predictor.manifest.phone_test,
        threshold=predictor.manifest.as_for(image_type).threshold,
    )


def _leading_of_each_type(answered: Sequence[PhotoScreening]) -> list[PhotoScreening]:
    by_type: dict[ImageType | None, PhotoScreening] = {}
    for photo in answered:
        first = by_type.setdefault(photo.image_type, photo)
        if photo.next_step.urgency > first.next_step.urgency:
            by_type[photo.image_type] = photo
    return list(by_type.values())


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
