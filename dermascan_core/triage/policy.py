"""Which next step: the person's answers and the model are two keys, and only when both are calm is the advice calm.

Either key raises the urgency, neither lowers the other's. The rules themselves lie in ``rules``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType

from ..domain import (
    ANSWER_FIELDS,
    OPTIONAL_ANSWERS,
    Answers,
    ImageType,
    Metadata,
    NextStep,
    PhoneTest,
    Prediction,
    Reason,
    Status,
    most_urgent,
)
from ..taxonomy import HAM_MALIGNANT
from .checklist import SEVEN_POINT_URGENT, is_large, seven_point_score
from .contradictions import contradictions
from .rules import (
    ARTEFACTS_CHANGE_STEP,
    METADATA_CHANGES_STEP,
    MIN_AGE_YEARS,
    PHONE_CALM_SENSITIVITY,
    RULES,
    UNTESTED_SKIN_TYPES,
    WITHOUT_ARTEFACTS,
    WITHOUT_METADATA,
)

_TESTED_AGE, _TESTED_SKIN_TYPE = 45.0, 2
_WARNINGS_THAT_BAR_CALM = ("no_lesion", "few_pixels", "several_lesions", "lesion_at_edge", "looks_clinical")
# Worth naming only where they are what stands between the person and the calmest words.
_OPEN = ("questions_open", "age_open", "skin_type_open")
_AS_SHOWN: Mapping[str, str] = MappingProxyType({})


def step_from_answers(answers: Answers, metadata: Metadata) -> tuple[NextStep | None, tuple[str, ...]]:
    """Return the next step that the answers and the history ask for, before any photo is looked at.

    Returns:
        The step, or None when nothing in the answers asks for anything; and the reasons, most important first, with
        the answers that contradict each other at the end.

    >>> step_from_answers(Answers(worried=True), Metadata())[0]
    <NextStep.SEE_DOCTOR: 'see_doctor'>
    >>> step_from_answers(Answers(worried=False), Metadata())
    (None, ())
    """
    codes = _codes_from_answers(answers, metadata)
    if not codes:
        return None, ()
    reasons = _sentences(codes, {"score": seven_point_score(answers, metadata)})
    return _step_of(codes), (*reasons, *contradictions(answers, metadata))


def step_from_model(prediction: Prediction, prediction_without_metadata: Prediction | None) -> NextStep:
    """Return the next step that the model's numbers alone ask for, with and without the metadata; at least ``watch``."""
    codes = _codes_from_model(prediction, prediction_without_metadata, is_unsure=False)
    return _step_of(codes, default=NextStep.WATCH)


def may_phone_calm(phone_test: PhoneTest | None) -> bool:
    """Whether a model has shown on phone photos that it misses few enough cancers to calm; never without a test.

    Of all cancers and of melanomas alone: where photos hold two melanomas, many found carcinomas must not calm.
    """
    lows = () if phone_test is None else (phone_test.low, phone_test.melanoma_low)
    return bool(lows) and all(low is not None and low > PHONE_CALM_SENSITIVITY for low in lows)


def untested_reason(
    answers: Answers, metadata: Metadata, image_type: ImageType, *, phone_test: PhoneTest | None = None
) -> Reason | None:
    """Return why no class may be relied on at all: under 18, under a nail, on mucosa; None otherwise.

    A phone photo alone gives None: it is shown and marked (see ``decide_next_step``).
    """
    code = next(iter(untested_codes(answers, metadata)), None)
    if code is None:
        return None
    is_untested_phone = image_type is ImageType.CLINICAL and phone_test is None
    also = " It was not tested on phone photos either." if is_untested_phone else ""
    return Reason(f"not_tested_{code}", RULES[code].sentence + also)


def untested_codes(answers: Answers, metadata: Metadata) -> list[str]:
    """Return which rules say that this person or site was never tested: ``under_18``, ``nail``, ``mucosa``."""
    found = {
        "under_18": metadata.age_approx is not None and metadata.age_approx < MIN_AGE_YEARS,
        "nail": bool(answers.under_nail) or metadata.anatom_site == "nail",
        # ISIC's region "oral/genital" may mean mucosa; HAM10000's own "genital" is skin.
        "mucosa": bool(answers.on_mucosa) or metadata.anatom_site in ("mucosa", "oral/genital"),
    }
    return [code for code, is_so in found.items() if is_so]


def are_answers_calm(answers: Answers) -> bool:
    """Whether the person's key is calm: each warning sign denied, and no optional sign named.

    An open question turns no key; the signs that a photo shows too may stay open (``OPTIONAL_ANSWERS``).
    """
    return not open_questions(answers) and not any(getattr(answers, name) for name in ANSWER_FIELDS)


def calmest(metadata: Metadata) -> tuple[Answers, Metadata]:
    """Return every question answered calmly, and the metadata with a tested age and skin type where these are not known.

    What a model's answer leads to then is the calmest that it can lead to.
    """
    return Answers(**dict.fromkeys(ANSWER_FIELDS, False)), replace(
        metadata,
        age_approx=_TESTED_AGE if metadata.age_approx is None else metadata.age_approx,
        fitzpatrick_skin_type=metadata.fitzpatrick_skin_type or _TESTED_SKIN_TYPE,
    )


def open_questions(answers: Answers) -> tuple[str, ...]:
    """Return the warning-sign questions that were not answered and that must be, before anything may calm."""
    asked = (name for name in ANSWER_FIELDS if name not in OPTIONAL_ANSWERS)
    return tuple(name for name in asked if getattr(answers, name) is None)


def decide_next_step(
    *,
    answers: Answers,
    metadata: Metadata,
    image_type: ImageType,
    status: Status,
    prediction: Prediction | None,
    prediction_without_metadata: Prediction | None,
    prediction_without_artefacts: Prediction | None = None,
    warnings: Collection[str] = (),
    n_refused: int = 0,
    n_photos: int = 1,
    phone_test: PhoneTest | None = None,
    is_given_up: bool = False,
    is_calm_withheld: bool = False,
) -> tuple[NextStep, tuple[str, ...]]:
    """Return what to do next about one photo, and why.

    Every rule that applies is collected, the most urgent wins. A refused photo asks for nothing by itself
    (``not_assessed``); only what asks for a doctor overrides that, since "at a routine visit" would sound as if the
    photo had been judged. History then adds its sentence and no more.

    Args:
        answers: What the person said; unanswered questions keep the calmest step out of reach.
        metadata: What is known about the person and the lesion; an unknown age or skin type does the same.
        image_type: A clinical (phone) photo is not answered with ``watch`` unless ``may_phone_calm``.
        status: What became of the photo.
        prediction: With the metadata given; not read when the photo was refused.
        prediction_without_metadata: With everything unknown; None when it was not computed.
        prediction_without_artefacts: With hair, ink and the like painted over; None when there was nothing to paint over,
            or it was not asked for. It can raise the urgency and never lowers it.
        warnings: Codes of the photo's quality warnings; some bar the calmest step (``_WARNINGS_THAT_BAR_CALM``).
        n_refused, n_photos: How many photos of this lesion could not be assessed, and of how many.
        phone_test: What was measured of the model on phone photos.
        is_given_up: Whether photos of this lesion were refused so often that a doctor is asked for instead of another.
        is_calm_withheld: Whether this installation gives no answer that is calmer than a routine check, at present.

    Returns:
        The step, and one sentence a reason, most important first.

    Raises:
        ValueError: If the photo was not refused but has no prediction.
    """
    codes = _codes_from_answers(answers, metadata)
    numbers = {"score": seven_point_score(answers, metadata), "n_refused": n_refused, "n_photos": n_photos}
    if status is Status.REFUSED:
        step, sentences = _refused([*codes, *(["photos_given_up"] if is_given_up else [])], numbers)
        return step, (*sentences, *contradictions(answers, metadata))
    if prediction is None:
        raise ValueError(f"Expected a prediction for a photo with status '{status}'. Received None.")
    codes += _codes_untested_photo(metadata, image_type, phone_test)
    codes += _codes_from_model(prediction, prediction_without_metadata, is_unsure=status is Status.UNSURE)
    if prediction_without_artefacts is not None:
        codes += _codes_from_prediction(prediction_without_artefacts)
    codes += [code for code in _WARNINGS_THAT_BAR_CALM if code in warnings]
    codes += ["photos_refused"] if n_refused else []
    codes += ["calm_withheld"] if is_calm_withheld else []
    codes += _codes_open(answers, metadata)
    step = _step_of(codes, default=NextStep.WATCH)
    if step is NextStep.WATCH:
        codes.append("model_calm")
    if step is not NextStep.ROUTINE_CHECK:
        codes = [code for code in codes if code not in _OPEN]
    as_shown = _codes_from_model(prediction, None, is_unsure=status is Status.UNSURE)
    seen_how = _seen_elsewhere(as_shown, prediction_without_metadata, prediction_without_artefacts)
    sentences = (*_sentences(codes, numbers, seen_how), *contradictions(answers, metadata))
    changed_by = [
        sentence
        for other, sentence in (
            (prediction_without_metadata, METADATA_CHANGES_STEP),
            (prediction_without_artefacts, ARTEFACTS_CHANGE_STEP),
        )
        if other is not None and step_from_model(other, None) is not step_from_model(prediction, None)
    ]
    return step, (*sentences, *changed_by)


def _refused(codes: list[str], numbers: dict[str, int]) -> tuple[NextStep, tuple[str, ...]]:
    overriding = [code for code in codes if RULES[code].step.urgency >= NextStep.SEE_DOCTOR.urgency]
    others = [code for code in codes if code not in overriding]
    sentences = (*_sentences(overriding, numbers), RULES["refused"].sentence, *_sentences(others, numbers))
    return _step_of(overriding), sentences


def _codes_open(answers: Answers, metadata: Metadata) -> list[str]:
    found = {
        "questions_open": bool(open_questions(answers)),
        "age_open": metadata.age_approx is None,
        "skin_type_open": metadata.fitzpatrick_skin_type is None,
    }
    return [code for code in _OPEN if found[code]]


def _codes_from_answers(answers: Answers, metadata: Metadata) -> list[str]:
    codes = [code for code in ("unstoppable_bleeding", "very_unwell") if getattr(answers, code)]
    if seven_point_score(answers, metadata) >= SEVEN_POINT_URGENT:
        codes.append("seven_point")
    if answers.new and (answers.bleeding or answers.unstoppable_bleeding):
        codes.append("new_and_bleeding")
    codes += ["changing"] if answers.changing or answers.evolving else []
    signs = ("bleeding", "new", "painful", "inflamed", "asymmetric", "irregular_border", "several_colours", "worried")
    codes += [code for code in signs if getattr(answers, code)]
    # Width alone is common; beside another sign it counts in the score, and needs no sentence of its own.
    codes += ["large"] if not codes and is_large(answers, metadata) else []
    codes += untested_codes(answers, metadata)
    history = {
        "personal_history": metadata.personal_hx_skin_cancer,
        "family_history": metadata.family_hx_skin_cancer,
        "immunosuppressed": metadata.immunosuppressed,
        "sun_exposure": metadata.high_sun_exposure,
    }
    return codes + [code for code, is_so in history.items() if is_so]


def _codes_untested_photo(metadata: Metadata, image_type: ImageType, phone_test: PhoneTest | None) -> list[str]:
    codes = ["dark_skin"] if metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES else []
    if image_type is not ImageType.CLINICAL or may_phone_calm(phone_test):
        return codes
    return [*codes, "phone_photo" if phone_test is None else "phone_photo_measured"]


def _codes_from_model(
    prediction: Prediction, prediction_without_metadata: Prediction | None, *, is_unsure: bool
) -> list[str]:
    codes = _codes_from_prediction(prediction)
    if prediction_without_metadata is not None:
        codes += _codes_from_prediction(prediction_without_metadata)
    if is_unsure:
        codes.append("model_unsure")
    return list(dict.fromkeys(codes))


def _seen_elsewhere(
    as_shown: Collection[str], without_metadata: Prediction | None, without_artefacts: Prediction | None
) -> dict[str, str]:
    """Return the codes that the answer whose bars are shown does not give, each with the words for the reading that does."""
    found: dict[str, str] = {}
    for words, other in ((WITHOUT_METADATA, without_metadata), (WITHOUT_ARTEFACTS, without_artefacts)):
        for code in [] if other is None else _codes_from_prediction(other):
            found.setdefault(code, words)
    return {code: words for code, words in found.items() if code not in as_shown}


def _codes_from_prediction(prediction: Prediction) -> list[str]:
    codes = []
    is_above = prediction.is_above_threshold
    if prediction.predicted == "mel" or (is_above and "mel" in prediction.set_95):
        codes.append("model_melanoma")
    if prediction.predicted == "akiec":
        codes.append("model_squamous")
    # Melanoma that cannot be ruled out is said first; the cancer whose bar may be the longest is not passed over.
    if is_above and (not codes or prediction.predicted == "bcc"):
        codes.append("model_threshold")
    # The weaker signs are worth a sentence only where no stronger one was said.
    if not codes and HAM_MALIGNANT & {prediction.predicted, *prediction.set_90}:
        codes.append("model_set_malignant")
    if not codes and HAM_MALIGNANT & set(prediction.set_95):
        codes.append("model_set_95_malignant")
    if not codes and prediction.is_above_calm_line:
        codes.append("model_not_calm")
    if prediction.is_unsure:
        codes.append("model_unsure")
    return codes


def _step_of(codes: Iterable[str], *, default: NextStep = NextStep.NOT_ASSESSED) -> NextStep:
    return most_urgent(default, *(RULES[code].step for code in codes))


def _sentences(
    codes: Iterable[str], numbers: dict[str, int], seen_how: Mapping[str, str] = _AS_SHOWN
) -> tuple[str, ...]:
    # sorted() is stable: answers stay before the model where both ask for the same step.
    ordered = sorted(dict.fromkeys(codes), key=lambda code: -RULES[code].step.urgency)
    said = [(seen_how.get(code, ""), RULES[code].sentence.format(**numbers)) for code in ordered]
    return tuple(f"{how} {words[0].lower()}{words[1:]}" if how else words for how, words in said)
