"""The next step: two keys, neither of which lowers the other."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dermascan_core.domain import (
    Answers,
    ImageType,
    Metadata,
    NextStep,
    PhoneTest,
    Prediction,
    Status,
    most_urgent,
)
from dermascan_core.taxonomy import HAM_CODES, SITES, UNTESTED_SITES
from dermascan_core.triage.policy import (
    are_answers_calm,
    decide_next_step,
    step_from_answers,
    step_from_model,
    untested_reason,
)
from dermascan_core.triage.rules import RULES

ANSWER_NAMES = tuple(field.name for field in fields(Answers))
HISTORY = ("personal_hx_skin_cancer", "family_hx_skin_cancer", "high_sun_exposure", "immunosuppressed")
ALL_NO = Answers(**dict.fromkeys(ANSWER_NAMES, False))
ADULT = Metadata(age_approx=50, fitzpatrick_skin_type=2)


def make_prediction(
    predicted: str = "nv",
    set_90: tuple[str, ...] = ("nv",),
    set_95: tuple[str, ...] = ("nv",),
    *,
    is_above_threshold: bool = False,
    is_above_calm_line: bool | None = None,
    views_agreeing: int = 8,
) -> Prediction:
    """Return a prediction as the policy reads it; its probabilities are not read."""
    return Prediction(
        codes=HAM_CODES,
        probabilities=np.full(7, 1 / 7),
        ham_probabilities=np.full(7, 1 / 7),
        predicted=predicted,
        p_malignant=0.5 if is_above_threshold else 0.01,
        set_90=set_90,
        set_95=set_95,
        views_agreeing=views_agreeing,
        n_views=8,
        is_above_threshold=is_above_threshold,
        is_above_calm_line=is_above_threshold if is_above_calm_line is None else is_above_calm_line,
    )


CALM = make_prediction()
URGENT = make_prediction("mel", ("mel",), ("mel",), is_above_threshold=True)


def decide(
    answers: Answers = ALL_NO,
    metadata: Metadata = ADULT,
    *,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    status: Status = Status.ANSWERED,
    prediction: Prediction | None = CALM,
    without: Prediction | None = CALM,
    **options: object,
) -> tuple[NextStep, tuple[str, ...]]:
    """Call the policy with everything calm but what the test names."""
    return decide_next_step(
        answers=answers,
        metadata=metadata,
        image_type=image_type,
        status=status,
        prediction=prediction,
        prediction_without_metadata=without,
        **options,
    )


yes_no_unknown = st.sampled_from([True, False, None])
any_answers = st.builds(Answers, **dict.fromkeys(ANSWER_NAMES, yes_no_unknown))
any_metadata = st.builds(
    Metadata,
    age_approx=st.none() | st.floats(0, 120),
    sex=st.sampled_from([None, "female", "male"]),
    anatom_site=st.sampled_from([None, *SITES, *UNTESTED_SITES]),
    clin_size_long_diam_mm=st.none() | st.floats(0.1, 500),
    fitzpatrick_skin_type=st.none() | st.integers(1, 6),
    **dict.fromkeys(HISTORY, yes_no_unknown),
)
some_codes = st.lists(st.sampled_from(HAM_CODES), min_size=1, max_size=7, unique=True).map(tuple)
any_prediction = st.builds(
    make_prediction,
    predicted=st.sampled_from(HAM_CODES),
    set_90=some_codes,
    set_95=some_codes,
    is_above_threshold=st.booleans(),
    is_above_calm_line=st.none() | st.booleans(),
    views_agreeing=st.integers(1, 8),
)
any_image_type = st.sampled_from(list(ImageType))
any_status = st.sampled_from(list(Status))
any_warnings = st.sets(st.sampled_from(["no_lesion", "few_pixels", "glare", "soft_focus"]))
assessed = st.sampled_from([Status.ANSWERED, Status.UNSURE])


@given(any_answers, any_metadata, any_image_type, any_status, any_prediction, any_prediction, st.data())
def test_one_more_yes_never_lowers_the_urgency(answers, metadata, image_type, status, prediction, without, data):
    name = data.draw(st.sampled_from(ANSWER_NAMES))
    options = {"image_type": image_type, "status": status, "prediction": prediction, "without": without}

    before, _ = decide(answers, metadata, **options)
    after, _ = decide(replace(answers, **{name: True}), metadata, **options)

    assert after.urgency >= before.urgency


@given(any_answers, any_metadata, any_image_type, assessed, any_prediction, any_prediction, st.sampled_from(HISTORY))
def test_one_more_history_never_lowers_the_urgency(answers, metadata, image_type, status, prediction, without, name):
    options = {"image_type": image_type, "status": status, "prediction": prediction, "without": without}

    before, _ = decide(answers, metadata, **options)
    after, _ = decide(answers, replace(metadata, **{name: True}), **options)

    assert after.urgency >= before.urgency


@given(any_answers, any_metadata, any_image_type, st.sampled_from(HISTORY))
def test_history_does_not_make_a_refused_photo_sound_assessed(answers, metadata, image_type, name):
    # not_assessed stands last in order of urgency, yet "at a routine visit" would be the calmer thing to read.
    options = {"image_type": image_type, "status": Status.REFUSED, "prediction": None, "without": None}

    before, _ = decide(answers, replace(metadata, **{name: None}), **options)
    after, reasons = decide(answers, replace(metadata, **{name: True}), **options)

    assert after is before
    assert after is NextStep.NOT_ASSESSED or after.urgency >= NextStep.SEE_DOCTOR.urgency
    assert len(reasons) >= 2


@given(any_answers, any_metadata, any_image_type, assessed, any_prediction, any_prediction, any_warnings, st.data())
def test_one_more_quality_warning_or_refused_photo_never_lowers_the_urgency(
    answers, metadata, image_type, status, prediction, without, warnings, data
):
    options = {"image_type": image_type, "status": status, "prediction": prediction, "without": without}
    more = data.draw(any_warnings)

    before, _ = decide(answers, metadata, **options, warnings=warnings)
    after, _ = decide(answers, metadata, **options, warnings=warnings | more, n_refused=1, n_photos=2)

    assert after.urgency >= before.urgency


@given(any_answers, any_metadata, any_image_type, assessed, any_prediction, st.none() | any_prediction)
def test_step_never_falls_below_what_the_answers_ask_for(answers, metadata, image_type, status, prediction, without):
    asked, _ = step_from_answers(answers, metadata)

    step, _ = decide(answers, metadata, image_type=image_type, status=status, prediction=prediction, without=without)

    assert asked is None or step.urgency >= asked.urgency


@given(any_answers, any_metadata, any_image_type, assessed, any_prediction, st.none() | any_prediction)
def test_step_never_falls_below_what_the_model_asks_for(answers, metadata, image_type, status, prediction, without):
    asked = step_from_model(prediction, without)

    step, _ = decide(answers, metadata, image_type=image_type, status=status, prediction=prediction, without=without)

    assert step.urgency >= asked.urgency


@given(any_answers, any_metadata, any_image_type, any_prediction)
def test_taking_the_model_away_never_lowers_what_the_answers_ask_for(answers, metadata, image_type, prediction):
    asked, _ = step_from_answers(answers, metadata)

    without_model, _ = decide(answers, metadata, image_type=image_type, status=Status.REFUSED, prediction=None)

    if asked is not None and asked.urgency >= NextStep.SEE_DOCTOR.urgency:
        assert without_model is asked
    else:
        assert without_model is NextStep.NOT_ASSESSED


@given(any_answers, any_metadata)
def test_a_no_that_becomes_open_never_calms(answers, metadata):
    for name in ANSWER_NAMES:
        if getattr(answers, name) is False:
            before, _ = decide(answers, metadata)
            after, _ = decide(replace(answers, **{name: None}), metadata)
            assert after.urgency >= before.urgency


@given(any_answers, any_metadata, any_prediction, any_prediction, any_status)
def test_phone_photo_is_never_answered_with_watch(answers, metadata, prediction, without, status):
    step, _ = decide(
        answers, metadata, image_type=ImageType.CLINICAL, status=status, prediction=prediction, without=without
    )

    assert step is not NextStep.WATCH


@given(any_answers, any_metadata, any_image_type, any_prediction)
def test_refused_photo_asks_for_a_doctor_where_the_answers_do_and_for_nothing_else(
    answers, metadata, image_type, prediction
):
    asked, _ = step_from_answers(answers, metadata)

    step, reasons = decide(
        answers, metadata, image_type=image_type, status=Status.REFUSED, prediction=prediction, without=None
    )

    asks_for_doctor = asked is not None and asked.urgency >= NextStep.SEE_DOCTOR.urgency
    assert step is (asked if asks_for_doctor else NextStep.NOT_ASSESSED)
    assert RULES["refused"].sentence in reasons


@given(any_answers, any_metadata, any_image_type, any_prediction, any_prediction)
def test_the_more_urgent_of_the_answers_with_and_without_metadata_wins(answers, metadata, image_type, one, other):
    def step_with(prediction, without):
        return decide(answers, metadata, image_type=image_type, prediction=prediction, without=without)[0]

    both = step_with(one, other)

    assert both is most_urgent(step_with(one, one), step_with(other, other))


@given(any_answers, any_metadata, any_prediction, st.none() | any_prediction, any_image_type, any_warnings)
def test_watch_needs_both_keys_calm(answers, metadata, prediction, without, image_type, warnings):
    step, _ = decide(
        answers, metadata, image_type=image_type, prediction=prediction, without=without, warnings=warnings
    )

    if step is NextStep.WATCH:
        assert are_answers_calm(answers)
        assert metadata.age_approx >= 18
        assert metadata.fitzpatrick_skin_type <= 4
        assert not warnings & {"no_lesion", "few_pixels"}
        assert not prediction.is_above_threshold
        assert not any(p.is_above_calm_line for p in (prediction, without) if p is not None)
        assert not prediction.is_unsure
        assert not {"akiec", "bcc", "mel"} & {prediction.predicted, *prediction.set_90, *prediction.set_95}


@given(any_answers, any_metadata, any_image_type, any_status, any_prediction, any_prediction)
def test_every_step_has_a_reason_and_no_reason_twice(answers, metadata, image_type, status, prediction, without):
    _, reasons = decide(answers, metadata, image_type=image_type, status=status, prediction=prediction, without=without)

    assert reasons
    assert len(set(reasons)) == len(reasons)
    assert not any("{" in sentence for sentence in reasons)


def test_answer_between_the_calm_line_and_the_threshold_does_not_calm():
    between = make_prediction(is_above_calm_line=True)

    for told, untold in ((between, CALM), (CALM, between)):
        step, reasons = decide(prediction=told, without=untold)
        assert step is NextStep.ROUTINE_CHECK
        said = RULES["model_not_calm"].sentence
        elsewhere = f"Without age, sex and body site: {said[0].lower()}{said[1:]}"
        assert (said if told is between else elsewhere) in reasons
    assert RULES["model_not_calm"].sentence not in decide(prediction=URGENT, without=between)[1][:1]


def test_both_keys_calm_gives_watch_and_its_limits():
    step, reasons = decide()

    assert step is NextStep.WATCH
    assert reasons == (
        "No high-risk features were found in this photo, and no warning sign was named. This does not rule out cancer.",
    )


def test_open_questions_keep_a_calm_photo_from_calming():
    step, reasons = decide(Answers())

    assert step is NextStep.ROUTINE_CHECK
    assert reasons == ("Not all questions about warning signs were answered, so the photo alone cannot calm.",)


@pytest.mark.parametrize(
    ("metadata", "sentence"),
    [
        (
            replace(ADULT, age_approx=None),
            "The age is not known, and people under 18 were not tested. "
            "Add the age: without it, the photo alone cannot calm.",
        ),
        (
            replace(ADULT, fitzpatrick_skin_type=None),
            "The skin type is not known, and brown or black skin (types V and VI) was not tested. "
            "Add the skin type: without it, the photo alone cannot calm.",
        ),
    ],
)
def test_unknown_age_or_skin_type_keeps_a_calm_photo_from_calming_and_says_what_to_add(metadata, sentence):
    assert decide(metadata=metadata) == (NextStep.ROUTINE_CHECK, (sentence,))
    assert sentence not in decide(metadata=metadata, prediction=URGENT)[1]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"warnings": ["no_lesion", "glare"]},
            "No spot stands out in this photo, so what the model answered may be about plain skin, and cannot calm.",
        ),
        (
            {"warnings": ["few_pixels"]},
            "The part of the photo that the model saw has few pixels, so fine signs may be lost, and it cannot calm.",
        ),
        (
            {"n_refused": 2, "n_photos": 3},
            "2 of 3 photos could not be assessed, so the others cannot calm.",
        ),
    ],
)
def test_photo_that_shows_too_little_cannot_calm(options, sentence):
    assert decide(**options) == (NextStep.ROUTINE_CHECK, (sentence,))


def test_harmless_quality_warnings_leave_watch_in_reach():
    assert decide(warnings=["glare", "soft_focus", "small_lesion"])[0] is NextStep.WATCH


@pytest.mark.parametrize("name", ["unstoppable_bleeding", "very_unwell"])
def test_emergency_answers_are_emergencies(name):
    assert step_from_answers(Answers(**{name: True}), Metadata())[0] is NextStep.EMERGENCY


_OVERRULING = ("changing", "bleeding", "new", "painful", "under_nail", "on_mucosa", "worried", "evolving", "inflamed")


@pytest.mark.parametrize("name", [*_OVERRULING, "asymmetric", "irregular_border", "several_colours"])
@pytest.mark.parametrize("status", list(Status))
def test_one_overruling_answer_asks_for_a_doctor_whatever_the_photo_shows(name, status):
    step, reasons = decide(replace(ALL_NO, **{name: True}), status=status)

    assert step is NextStep.SEE_DOCTOR
    assert "doctor" in reasons[0]


def test_new_growing_and_bleeding_is_urgent_below_three_points():
    assert step_from_answers(Answers(new=True, bleeding=True), Metadata())[0] is NextStep.URGENT_2_WEEKS


@pytest.mark.parametrize("name", HISTORY)
def test_history_is_never_calmer_than_a_routine_check(name):
    assert decide(metadata=replace(ADULT, **{name: True}))[0] is NextStep.ROUTINE_CHECK


@pytest.mark.parametrize(
    ("answers", "metadata", "code"),
    [
        (Answers(), Metadata(age_approx=17.9), "not_tested_under_18"),
        (Answers(under_nail=True), Metadata(age_approx=40), "not_tested_nail"),
        (Answers(), Metadata(anatom_site="nail"), "not_tested_nail"),
        (Answers(on_mucosa=True), Metadata(), "not_tested_mucosa"),
        (Answers(), Metadata(anatom_site="mucosa"), "not_tested_mucosa"),
        (Answers(), Metadata(anatom_site="oral/genital"), "not_tested_mucosa"),
    ],
)
def test_untested_people_and_sites_are_told_to_ask_a_doctor(answers, metadata, code):
    reason = untested_reason(answers, metadata, ImageType.DERMOSCOPIC)
    step, reasons = decide(answers, metadata)

    assert reason is not None
    assert reason.code == code
    assert "not tested" in reason.sentence
    assert reason.sentence in reasons
    assert step is NextStep.SEE_DOCTOR


@pytest.mark.parametrize("image_type", list(ImageType))
def test_adults_on_ordinary_skin_have_no_untested_reason(image_type):
    assert untested_reason(Answers(), Metadata(age_approx=18, anatom_site="back"), image_type) is None


@pytest.mark.parametrize("skin_type", [5, 6])
def test_untested_skin_types_are_never_calmed_and_it_is_said(skin_type):
    step, reasons = decide(metadata=replace(ADULT, fitzpatrick_skin_type=skin_type))

    assert step is NextStep.ROUTINE_CHECK
    assert reasons == (
        "This program was not tested on brown or black skin (types V and VI), so its answer cannot calm.",
    )


@pytest.mark.parametrize(
    ("prediction", "step"),
    [
        (URGENT, NextStep.URGENT_2_WEEKS),
        (make_prediction("mel"), NextStep.URGENT_2_WEEKS),
        (make_prediction("nv", ("nv",), ("mel", "nv"), is_above_threshold=True), NextStep.URGENT_2_WEEKS),
        (make_prediction("akiec", ("akiec",), ("akiec",), is_above_threshold=True), NextStep.URGENT_2_WEEKS),
        (make_prediction("bcc", ("bcc",), ("bcc",), is_above_threshold=True), NextStep.SEE_DOCTOR),
        (make_prediction("nv", is_above_threshold=True), NextStep.SEE_DOCTOR),
        (make_prediction("bcc"), NextStep.SEE_DOCTOR),
        (make_prediction("nv", ("mel", "nv"), ("mel", "nv")), NextStep.SEE_DOCTOR),
        (make_prediction("nv", views_agreeing=4), NextStep.SEE_DOCTOR),
        (make_prediction("nv", ("bkl", "df", "nv", "vasc")), NextStep.SEE_DOCTOR),
        (make_prediction("nv", ("nv",), ("mel", "nv")), NextStep.ROUTINE_CHECK),
        (make_prediction("bkl", ("bkl", "nv"), ("bkl", "df", "nv")), NextStep.WATCH),
    ],
)
def test_what_the_model_shows_decides_where_the_answers_are_calm(prediction, step):
    assert decide(prediction=prediction, without=prediction)[0] is step


NOT_ENOUGH = "This program's test on phone photos is not enough for its answer to calm."


def phone_test(low: float | None, melanoma_low: float | None = 0.95) -> PhoneTest:
    return PhoneTest(n_photos=400, n_melanomas=12, sensitivity=0.95, low=low, high=0.99, melanoma_low=melanoma_low)


@pytest.mark.parametrize(
    ("measured", "step", "sentence"),
    [
        (None, NextStep.ROUTINE_CHECK, "This program was not tested on phone photos, so its answer cannot calm."),
        (phone_test(low=0.86), NextStep.ROUTINE_CHECK, NOT_ENOUGH),
        (phone_test(low=0.9), NextStep.ROUTINE_CHECK, NOT_ENOUGH),
        (phone_test(low=None), NextStep.ROUTINE_CHECK, NOT_ENOUGH),
        (phone_test(low=0.99, melanoma_low=0.9), NextStep.ROUTINE_CHECK, NOT_ENOUGH),
        (phone_test(low=0.99, melanoma_low=None), NextStep.ROUTINE_CHECK, NOT_ENOUGH),
        (phone_test(low=0.91), NextStep.WATCH, RULES["model_calm"].sentence),
    ],
)
def test_phone_photo_calms_only_where_enough_cancers_were_found_on_such_photos(measured, step, sentence):
    found, reasons = decide(image_type=ImageType.CLINICAL, phone_test=measured)

    assert found is step
    assert sentence in reasons


def test_what_was_measured_on_phone_photos_raises_and_lowers_nothing_else():
    for measured in (None, phone_test(low=0.86), phone_test(low=0.99)):
        urgent, _ = decide(prediction=URGENT, image_type=ImageType.CLINICAL, phone_test=measured)
        assert urgent is decide(prediction=URGENT)[0]
        assert decide(phone_test=measured) == decide()


def test_untested_person_with_a_phone_photo_is_not_told_that_phones_are_untested_where_they_are_not():
    child = Metadata(age_approx=10)

    plain = untested_reason(Answers(), child, ImageType.CLINICAL)
    measured = untested_reason(Answers(), child, ImageType.CLINICAL, phone_test=phone_test(low=0.5))

    assert plain.sentence == f"{measured.sentence} It was not tested on phone photos either."


def test_unsure_status_asks_for_a_doctor_even_where_the_numbers_look_calm():
    assert decide(status=Status.UNSURE)[0] is NextStep.SEE_DOCTOR


def test_metadata_that_calms_the_model_does_not_calm_the_advice_and_it_is_said():
    step, reasons = decide(prediction=CALM, without=URGENT)

    assert step is NextStep.URGENT_2_WEEKS
    assert reasons == (
        "Without age, sex and body site: this photo has features that the model links with melanoma. It cannot be ruled out.",
        "The model's answer with age, sex and body site differs from its answer without them. "
        "The more urgent one counts.",
    )


def test_refused_photo_with_nothing_to_say_is_not_assessed():
    step, reasons = decide(Answers(), status=Status.REFUSED, prediction=None, without=None)

    assert step is NextStep.NOT_ASSESSED
    assert reasons == ("The photo could not be assessed. Do not use this as reassurance.",)


def test_refused_photo_with_history_stays_not_assessed_and_still_says_the_history():
    step, reasons = decide(
        metadata=replace(ADULT, high_sun_exposure=True), status=Status.REFUSED, prediction=None, without=None
    )

    assert step is NextStep.NOT_ASSESSED
    assert reasons == (
        "The photo could not be assessed. Do not use this as reassurance.",
        "After much sun, or sunbeds, a check now and then is wise.",
    )


def test_answered_photo_without_prediction_is_a_programming_mistake():
    with pytest.raises(
        ValueError, match=r"^Expected a prediction for a photo with status 'answered'\. Received None\.$"
    ):
        decide(prediction=None, without=None)
