"""Every sentence that can be produced is read against the words that must never appear."""

from __future__ import annotations

import re
from dataclasses import fields, replace

import pytest

from dermascan_core.domain import (
    Answers,
    CalmRate,
    ImageType,
    Metadata,
    NextStep,
    PhotoScreening,
    Reason,
    Screening,
    Status,
)
from dermascan_core.taxonomy import CLASS_BY_CODE, HAM_CODES, SITES, UNTESTED_SITES
from dermascan_core.triage import wording
from dermascan_core.triage.rules import METADATA_CHANGES_STEP, RULES
from dermascan_core.triage.wording import (
    DISCLAIMER,
    QUESTIONS,
    Voice,
    booking_words,
    calm_rate_words,
    class_name,
    how_soon,
    not_checked,
    refusal_text,
    step_text,
    step_title,
)
from tests.triage.test_forbidden_words import FORBIDDEN
from tests.triage.test_policy import make_prediction


def make_screening(
    step: NextStep, answers: Answers, metadata: Metadata, image_type: ImageType, status: Status
) -> Screening:
    """Return a screening of two photos, one of them refused, as far as words depend on it."""
    photos = tuple(
        PhotoScreening(name, photo_status, None, None, None, None, None, step)
        for name, photo_status in (("a.jpg", status), ("b.jpg", Status.REFUSED))
    )
    return Screening(
        photos, metadata, answers, image_type, step, (), None, "m", "0" * 64, "keras", "0.1.0", "2026-01-01T00:00:00Z"
    )


ANSWER_SETS = (
    Answers(),
    Answers(**dict.fromkeys(QUESTIONS, False)),
    Answers(**dict.fromkeys(QUESTIONS, True)),
    *(Answers(**{name: True}) for name in QUESTIONS),
)
METADATA_SETS = (
    Metadata(),
    Metadata(age_approx=12, fitzpatrick_skin_type=6, clin_size_long_diam_mm=9),
    *(Metadata(age_approx=50, anatom_site=site) for site in (*SITES, *UNTESTED_SITES)),
)
SCREENINGS = [
    make_screening(step, answers, metadata, image_type, status)
    for step in NextStep
    for answers in ANSWER_SETS
    for metadata in METADATA_SETS
    for image_type in ImageType
    for status in (Status.ANSWERED, Status.REFUSED)
]


def public_texts() -> set[str]:
    """Return everything that the public voice can say."""
    constants = {value for name, value in vars(wording).items() if name.isupper() and isinstance(value, str)}
    return {
        *constants,
        METADATA_CHANGES_STEP,
        *wording.SEVEN_POINT_LIST,
        *QUESTIONS.values(),
        *(rule.sentence.format(score=4, n_refused=1, n_photos=2) for rule in RULES.values()),
        *(words for step in NextStep for words in (step_title(step, Voice.PUBLIC), step_text(step, Voice.PUBLIC))),
        *(how_soon(step) for step in NextStep),
        *(booking_words(screening) for screening in SCREENINGS),
        *(sentence for screening in SCREENINGS for sentence in not_checked(screening)),
        refusal_text(Reason("too_blurry", "The photo is not sharp.")),
    }


def all_texts() -> set[str]:
    """Return everything that any voice can say."""
    others = {
        words
        for step in NextStep
        for voice in (Voice.CLINICIAN, Voice.REPORT)
        for words in (step_title(step, voice), step_text(step, voice))
    }
    return public_texts() | others | {rule.when for rule in RULES.values()}


ALL_TEXTS = sorted(all_texts())
SENTENCES = sorted({part for text in ALL_TEXTS for part in re.split(r"(?<=[.?!])\s+", text)})


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_sentence_gives_a_verdict_a_promise_or_an_alarm(sentence):
    found = [pattern for pattern in FORBIDDEN if re.search(pattern, sentence, re.IGNORECASE)]

    assert found == []


@pytest.mark.parametrize("step", [NextStep.WATCH, NextStep.ROUTINE_CHECK])
@pytest.mark.parametrize("voice", list(Voice))
def test_calm_steps_say_that_cancer_is_not_ruled_out_and_when_to_go(step, voice):
    text = step_text(step, voice)

    assert "oes not rule out" in text
    assert voice is Voice.CLINICIAN or "change" in text


@pytest.mark.parametrize("voice", list(Voice))
def test_photo_that_was_not_assessed_does_not_reassure(voice):
    text = step_text(NextStep.NOT_ASSESSED, voice)

    assert "reassurance" in text or "Not evidence of absence" in text


@pytest.mark.parametrize("code", [*HAM_CODES, *CLASS_BY_CODE])
@pytest.mark.parametrize("voice", list(Voice))
def test_every_class_has_a_name_in_every_voice(code, voice):
    assert len(class_name(code, voice)) >= 5


def test_public_class_names_hold_no_verdict():
    names = [class_name(code, Voice.PUBLIC) for code in (*HAM_CODES, *CLASS_BY_CODE)]

    assert not [name for name in names if re.search("benign|harmless", name, re.IGNORECASE)]


def test_disclaimer_is_the_agreed_one():
    assert DISCLAIMER == "Not a medical device. Not a diagnosis. A low result does not rule out skin cancer."


def test_bars_are_captioned_as_shares_of_the_archive():
    assert wording.BARS_CAPTION.startswith(
        "Each bar is the share among archive photos like this one. It is not your chance of cancer."
    )


def test_tested_on_names_everyone_it_was_not_tested_on():
    for words in (
        "types V and VI",
        "phone photos",
        "under 18",
        "nails",
        "mouth",
        "melanoma without colour",
        "HAM10000",
    ):
        assert words in wording.TESTED_ON


def test_there_is_one_question_for_each_answer():
    assert tuple(QUESTIONS) == tuple(field.name for field in fields(Answers))


def test_booking_words_name_site_signs_and_score():
    screening = make_screening(
        NextStep.URGENT_2_WEEKS,
        Answers(changing=True, bleeding=True, worried=True),
        Metadata(anatom_site="back"),
        ImageType.DERMOSCOPIC,
        Status.ANSWERED,
    )

    assert booking_words(screening) == (
        "I have a spot on my back. It has changed, it bleeds, oozes or crusts, and I am worried about it. "
        "It scores 3 on the 7-point checklist. "
        "I would like a doctor to look at it within 2 weeks, to check for skin cancer."
    )


def test_not_checked_begins_with_what_concerns_this_person():
    screening = make_screening(
        NextStep.SEE_DOCTOR,
        Answers(under_nail=True),
        Metadata(age_approx=15, fitzpatrick_skin_type=6),
        ImageType.CLINICAL,
        Status.ANSWERED,
    )

    assert not_checked(screening) == (
        "1 of 2 photos could not be assessed.",
        "The program was not tested on people under 18.",
        "The program was not tested on spots under or beside a nail.",
        "The program was not tested on phone photos.",
        "The program was not tested on your skin type. It knows mostly light skin.",
        "Some questions about warning signs were not answered.",
        "Only this one spot was looked at, not the rest of the skin.",
        "A photo shows no depth and cannot be felt. Rare forms, such as melanoma without colour, can be missed.",
    )


def syllables_in(word: str) -> int:
    """Count syllables roughly: groups of vowels, without a silent final e."""
    return max(len(re.findall(r"[aeiouy]+", re.sub(r"(?<=[^laeiouy])e$", "", word.lower()))), 1)


def reading_grade(text: str) -> float:
    """Return the Flesch-Kincaid grade, about school years; 7 is a reader of twelve.

    Reference: Kincaid et al. (1975).
    """
    words = re.findall(r"[A-Za-z']+", text)
    n_sentences = max(len(re.findall(r"[.?!](?:\s|$)", text)), 1)
    return 0.39 * len(words) / n_sentences + 11.8 * sum(map(syllables_in, words)) / len(words) - 15.59


def test_reading_grade_agrees_with_a_sum_by_hand():
    # 6 words, 1 sentence, 6 syllables: 0.39 * 6 + 11.8 * 1 - 15.59
    assert reading_grade("The cat sat on the mat.") == pytest.approx(-1.45)


@pytest.mark.parametrize("step", list(NextStep))
def test_public_advice_reads_at_age_twelve(step):
    assert reading_grade(f"{step_title(step, Voice.PUBLIC)}. {step_text(step, Voice.PUBLIC)}") <= 7


@pytest.mark.parametrize("code", list(RULES))
def test_each_reason_reads_at_age_fourteen_at_most(code):
    # Single sentences with "dermatology" words score high; names of diseases are taken out first.
    plain = re.sub(
        r"melanoma|squamous|pre-cancer|reassurance",
        "cancer",
        RULES[code].sentence.format(score=4, n_refused=1, n_photos=2),
    )

    assert reading_grade(plain) <= 9


def test_what_the_public_reads_averages_age_twelve():
    assert reading_grade(" ".join(text if text[-1] in ".?!" else f"{text}." for text in sorted(public_texts()))) <= 7


def calm(**changes):
    """A screening of one low answer whose rate of wrong calm answers was measured."""
    prediction = make_prediction()
    photo = PhotoScreening("a.jpg", Status.ANSWERED, None, None, None, prediction, prediction, NextStep.WATCH)
    base = make_screening(NextStep.WATCH, Answers(), Metadata(), ImageType.DERMOSCOPIC, Status.ANSWERED)
    rate = CalmRate(0.012, 0.009, 0.016, prevalence=0.2)
    return replace(base, **({"photos": (photo,), "calm_rate": rate} | changes))


def test_low_answer_is_told_with_how_often_such_answers_were_wrong():
    screening = calm()

    assert calm_rate_words(screening, screening.photos[0]) == (
        "Of 100 test photos with such a low answer, 1.2 (0.9 to 1.6) were cancer or pre-cancer all the same. "
        "In the whole test it was 20 of 100; everyday life has far fewer."
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"calm_rate": None},
        {"image_type": ImageType.CLINICAL},
        {"metadata": Metadata(fitzpatrick_skin_type=5)},
    ],
)
def test_rate_is_not_told_of_what_it_was_not_measured_on(changes):
    screening = calm(**changes)

    assert calm_rate_words(screening, screening.photos[0]) is None


@pytest.mark.parametrize(
    "changes",
    [{"status": Status.UNSURE}, {"prediction": None}, {"prediction": make_prediction(is_above_threshold=True)}],
)
def test_rate_is_told_of_low_answers_only(changes):
    screening = calm()

    assert calm_rate_words(screening, replace(screening.photos[0], **changes)) is None
