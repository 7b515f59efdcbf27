"""Every sentence that can be produced is read against the words that must never appear."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from dermascan_core.domain import (
    OPTIONAL_ANSWERS,
    Answers,
    CalmRate,
    ImageType,
    Metadata,
    NextStep,
    PhoneTest,
    PhotoScreening,
    Reason,
    Screening,
    Status,
)
from dermascan_core.reports import card
from dermascan_core.reports.export import screening_to_json
from dermascan_core.taxonomy import CLASS_BY_CODE, HAM_CODES, SITES, UNTESTED_SITES
from dermascan_core.triage import contradictions, frequencies, rules, told, wording
from dermascan_core.triage.rules import METADATA_CHANGES_STEP, RULES
from dermascan_core.triage.wording import (
    DISCLAIMER,
    QUESTIONS,
    SIGN_EXPLANATIONS,
    SIGN_QUESTIONS,
    Voice,
    booking_words,
    calm_rate_words,
    class_name,
    how_soon,
    not_checked,
    phone_rate_words,
    phone_words,
    refusal_text,
    report_sentences,
    step_text,
    step_title,
)
from tests.triage.test_forbidden_words import CLASS_NAMES, FORBIDDEN, ROOT, texts_in
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
    *(Answers(**{name: True}) for name in (*QUESTIONS, *SIGN_QUESTIONS)),
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


PLACES = ("in_90", "in_95_only", "in_neither")
# What one answer is counted among: its side of the line, or that and its place among the sets.
OWN_GROUPS = [f"{side}{place}" for side in ("above", "below") for place in ("", *(f"/{place}" for place in PLACES))]
GROUPS = [*OWN_GROUPS, *PLACES]
NUMBERS = {"share": 0.007, "low": 0.0001, "high": 0.12, "prevalence": 0.2}
CONTRADICTING = [
    (answers, metadata)
    for answers in (
        *(Answers(**{name: said}) for name in (*QUESTIONS, *SIGN_QUESTIONS) for said in (True, False)),
        Answers(changing=False, evolving=True),
        Answers(bleeding=False, unstoppable_bleeding=True),
    )
    for metadata in (
        Metadata(),
        *(Metadata(anatom_site=site, clin_size_long_diam_mm=mm) for site in (*SITES, *UNTESTED_SITES) for mm in (3, 8)),
    )
]


MEASURED = PhoneTest(n_photos=1400, n_melanomas=12, sensitivity=0.93, low=0.86, high=0.97)
PHONE_TESTS = (None, MEASURED, replace(MEASURED, low=0.91, melanoma_low=0.91))
ON_A_PHONE = make_screening(NextStep.ROUTINE_CHECK, Answers(), Metadata(), ImageType.CLINICAL, Status.ANSWERED)


def constants_of(module: object) -> set[str]:
    """Return the sentences that a module holds by name."""
    return {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}


def public_texts() -> set[str]:
    """Return everything that the public voice can say."""
    return {
        *constants_of(wording),
        *constants_of(rules),
        METADATA_CHANGES_STEP,
        *wording.SEVEN_POINT_LIST,
        *QUESTIONS.values(),
        *SIGN_QUESTIONS.values(),
        *SIGN_EXPLANATIONS.values(),
        *(sentence for pair in CONTRADICTING for sentence in contradictions.contradictions(*pair)),
        *(rule.sentence.format(score=4, n_refused=1, n_photos=2) for rule in RULES.values()),
        *(words for step in NextStep for words in (step_title(step, Voice.PUBLIC), step_text(step, Voice.PUBLIC))),
        *(how_soon(step) for step in NextStep),
        *(booking_words(screening) for screening in SCREENINGS),
        *(sentence for screening in SCREENINGS for sentence in not_checked(screening)),
        refusal_text(Reason("too_blurry", "The photo is not sharp.")),
        *(frequencies.in_the_test_words(code, **NUMBERS, n=90, voice=Voice.PUBLIC) for code in OWN_GROUPS),
        *(constants_of(frequencies) - {frequencies.BAYES_ASSUMES}),
        calm_rate_words(calm(), calm().photos[0]),
        *(words for one in PHONE_TESTS for words in (phone_words(one), wording.tested_on(one))),
        phone_rate_words(MEASURED),
        *(sentence for one in PHONE_TESTS for sentence in not_checked(replace(ON_A_PHONE, phone_test=one))),
    }


def card_texts(screening: Screening, voice: Voice) -> set[str]:
    """Return everything that is written on the page to show to a doctor, or on the clinician's."""
    written: set[str] = set()

    class Page(card.Page):
        def write(self, text: str, **options: object) -> None:
            written.add(text)
            super().write(text, **options)

    card._draw_card(Page(0.6), screening, 0, voice=voice)
    return written


def texts_within(value: object) -> set[str]:
    """Return every text of two words or more inside plain data."""
    if isinstance(value, dict):
        return {text for item in value.values() for text in texts_within(item)}
    if isinstance(value, list):
        return {text for item in value for text in texts_within(item)}
    return {value} if isinstance(value, str) and " " in value else set()


def report_texts() -> set[str]:
    """Return everything that the card and the downloaded data can say."""
    unsure = replace(calm().photos[0], status=Status.UNSURE)
    screened = [
        *SCREENINGS[:: len(SCREENINGS) // 60],
        calm(),
        calm(photos=(unsure,), image_type=ImageType.CLINICAL, metadata=Metadata(fitzpatrick_skin_type=6)),
        calm(answers=Answers(**dict.fromkeys((*QUESTIONS, *SIGN_QUESTIONS), True)), next_step=NextStep.URGENT_2_WEEKS),
        calm(answers=Answers(**dict.fromkeys(QUESTIONS, False))),
    ]
    return {
        *(sentence for screening in screened for sentence in report_sentences(screening)),
        *(text for screening in screened for text in card_texts(screening, Voice.PUBLIC)),
        *(text for screening in [*screened[::8], *screened[-4:]] for text in card_texts(screening, Voice.CLINICIAN)),
        *(text for screening in screened for text in texts_within(json.loads(screening_to_json(screening)))),
    }


def all_texts() -> set[str]:
    """Return everything that any voice can say, and every reason for which a photo is refused or doubted."""
    others = {
        words
        for step in NextStep
        for voice in (Voice.CLINICIAN, Voice.REPORT)
        for words in (step_title(step, voice), step_text(step, voice))
    }
    counted = {
        frequencies.BAYES_ASSUMES,
        frequencies.elsewhere_words(**NUMBERS),
        frequencies.icons_alt(0.2, 0.3),
        *(frequencies.in_the_test_words(code, **NUMBERS, n=90, voice=Voice.CLINICIAN) for code in GROUPS),
    }
    in_rules = {text for rule in RULES.values() for text in (rule.when, rule.source)}
    return public_texts() | others | counted | in_rules | report_texts() | quality_texts()


def quality_texts() -> set[str]:
    """Return what may be said of a photo before any class is computed: why it is refused, and what speaks for care."""
    folders = [ROOT / "dermascan_core" / room for room in ("imaging", "trust")]
    return {text for folder in folders for path in sorted(folder.glob("*.py")) for _, text in texts_in(path)}


def calm(**changes):
    """A screening of one low answer whose rate of wrong calm answers was measured."""
    prediction = make_prediction()
    photo = PhotoScreening("a.jpg", Status.ANSWERED, None, None, None, prediction, prediction, NextStep.WATCH)
    base = make_screening(NextStep.WATCH, Answers(), Metadata(), ImageType.DERMOSCOPIC, Status.ANSWERED)
    rate = CalmRate(0.012, 0.009, 0.016, prevalence=0.2)
    return replace(base, **({"photos": (photo,), "calm_rate": rate} | changes))


ALL_TEXTS = sorted(all_texts())
SENTENCES = sorted({part for text in ALL_TEXTS for part in re.split(r"(?<=[.?!])\s+", text)})


@pytest.mark.parametrize("sentence", SENTENCES)
def test_no_sentence_gives_a_verdict_a_promise_or_an_alarm(sentence):
    # A clinician's report names the classes, and a class's name is no verdict.
    named = re.sub(CLASS_NAMES, "", sentence, flags=re.IGNORECASE)

    found = [pattern for pattern in FORBIDDEN if re.search(pattern, named, re.IGNORECASE)]

    assert found == []


@pytest.mark.parametrize(
    "module", [wording, rules, contradictions, frequencies, told], ids=lambda module: module.__name__
)
def test_every_sentence_of_these_files_was_read_above(module):
    everything = "\n".join(ALL_TEXTS).lower()

    unread = [
        text
        for _, text in texts_in(Path(module.__file__))
        # What is filled in is cut out: the words between two numbers are looked for. Tables of a document are no sentence.
        if "|" not in text and not all(part.strip().lower() in everything for part in re.split(r"\{\w+\}", text))
    ]

    assert unread == []


@pytest.mark.parametrize("screening", SCREENINGS[:: len(SCREENINGS) // 20])
def test_report_speaks_to_nobody(screening):
    assert not re.search(r"\byou(r)?\b", " ".join(report_sentences(screening)), re.IGNORECASE)


@pytest.mark.parametrize("code", OWN_GROUPS)
@pytest.mark.parametrize("voice", list(Voice))
def test_count_of_a_hundred_names_the_mix_it_holds_for(code, voice):
    words = frequencies.in_the_test_words(code, **NUMBERS, n=90, voice=voice)

    assert words.startswith("Here the model sees a " if voice is Voice.PUBLIC else "Of 100 test photos ")
    assert "0.7 (under 0.1 to 12) were cancer or pre-cancer" in words
    assert "n the whole test it was 20 of 100" in words


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
        assert words in wording.tested_on(None)


def test_phone_words_are_todays_where_nothing_was_measured():
    assert phone_words(None) == (
        "Not tested on phone photos. The bars may be far off, so this photo cannot calm. Show the spot to a doctor."
    )
    assert "The program was not tested on phone photos." in not_checked(ON_A_PHONE)
    assert " on phone photos, on people under 18" in wording.tested_on(None)


def test_measured_phone_photos_are_counted_with_their_melanomas_in_every_sentence():
    counts = "Tested on 1,400 phone photos, 12 of them of melanoma."
    screening = replace(ON_A_PHONE, phone_test=MEASURED)

    assert phone_words(MEASURED) == f"{counts} That is not enough for this photo to calm. Show the spot to a doctor."
    assert phone_words(PHONE_TESTS[-1]) == (
        f"{counts} The bars are less sure than for photos taken with a dermatoscope."
    )
    assert wording.tested_on(MEASURED).startswith(
        "Tested on photos taken with a dermatoscope, from one archive (HAM10000: Austria and Australia), mostly of light "
        f"skin. {counts} Not tested on brown or black skin (types V and VI), on people under 18,"
    )
    assert "The program was tested on 1,400 phone photos only, 12 of them of melanoma." in not_checked(screening)
    assert not [words for words in not_checked(screening) if "not tested on phone" in words]


def test_measured_phone_photos_are_told_with_how_many_cancers_were_missed():
    assert phone_rate_words(MEASURED) == (
        "Of 100 phone photos of cancer or pre-cancer in its test, 93 (86 to 97) were at or above the model's line. "
        "The others would have been missed by the photo alone."
    )
    assert phone_rate_words(replace(MEASURED, sensitivity=None, low=None, high=None)) is None
    assert " 93 were at or above" in phone_rate_words(replace(MEASURED, low=None, high=None))


def test_there_is_one_question_for_each_answer():
    assert (*QUESTIONS, *SIGN_QUESTIONS) == tuple(field.name for field in fields(Answers))
    assert tuple(SIGN_QUESTIONS) == tuple(SIGN_EXPLANATIONS) == OPTIONAL_ANSWERS


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


def test_low_answer_is_told_with_how_often_such_answers_were_wrong():
    screening = calm()

    assert calm_rate_words(screening, screening.photos[0]) == (
        "Of 100 test photos whose answer was below the line for a doctor, as here, 1.2 (0.9 to 1.6) were cancer or pre-cancer all the same. "
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
