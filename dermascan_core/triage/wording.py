"""Every sentence of the product about results, in one place and three voices.

The public voice is written for a reader of about twelve; no voice ever gives a verdict or calms without its limits.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from ..domain import ImageType, NextStep, PhoneTest, PhotoScreening, Prediction, Reason, Screening, Status
from ..taxonomy import CLASS_BY_CODE, HAM_NAMES, HAM_PLAIN_NAMES, UNTESTED_SITES
from .checklist import SEVEN_POINT_URGENT, seven_point_score
from .policy import may_phone_calm, open_questions, untested_codes
from .rules import MIN_AGE_YEARS, UNTESTED_SKIN_TYPES
from .told import seven_point_words
from .two_kinds import FUSION_NOT_MEASURED, kind_name


class Voice(StrEnum):
    """Who is spoken to: whoever has the spot, who examines it, and who reads the record later.

    ``REPORT`` names the person in no sentence and gives no order: it is what stands in the data that leave the program.
    """

    PUBLIC = "public"
    CLINICIAN = "clinician"
    REPORT = "report"


DISCLAIMER = "Not a medical device. Not a diagnosis. A low result does not rule out skin cancer."
BARS_CAPTION = (
    "Each bar is the share among archive photos like this one. It is not your chance of cancer. "
    "The archive holds far more cancers than everyday life does."
)
HEAT_MAP_CAPTION = "Where the network looked, for this class. Not where disease is."
P_MALIGNANT_NAME = "Cancer or pre-cancer (melanoma, basal and squamous cell carcinoma, actinic keratosis)"
UNSURE_SENTENCE = (
    "The model is unsure about this photo: turned views of it disagree, or many classes stay possible. "
    "Let a doctor look at the spot."
)
PHONE_NOT_TESTED = (
    "Not tested on phone photos. The bars may be far off, so this photo cannot calm. Show the spot to a doctor."
)
DARK_SKIN_NOT_TESTED = (
    "Not tested on brown or black skin (types V and VI). The bars may be far off, so this photo cannot calm."
)
SEVEN_POINT_LIST = (
    "It gets bigger.",
    "Its shape changes, or its edge is uneven.",
    "Its colour changes, or it has several colours.",
    "It is 7 mm wide or more (about the end of a pencil).",
    "It is red or swollen.",
    "It bleeds, oozes or crusts.",
    "It itches, hurts or feels odd.",
)
# One question for each answer, in the order they are asked; a yes to any of them overrules the model.
QUESTIONS: dict[str, str] = {
    "unstoppable_bleeding": "Does it bleed and not stop after ten minutes of firm pressure?",
    "very_unwell": "Do you feel very ill with it: fever, or redness that spreads fast?",
    "changing": "Has it changed in size, shape or colour?",
    "bleeding": "Does it bleed, ooze or crust?",
    "new": "Is it new, and does it grow?",
    "painful": "Does it hurt or itch?",
    "under_nail": "Is it under or beside a nail?",
    "on_mucosa": "Is it inside the mouth, nose, eyelid or genitals?",
    "worried": "Are you worried about it?",
}
# The second set, which may stay open: the ABCDE list, and what the 7-point checklist asks beyond the first set.
SIGN_QUESTIONS: dict[str, str] = {
    "asymmetric": "A: Does one half look unlike the other?",
    "irregular_border": "B: Is its edge uneven, notched or blurred?",
    "several_colours": "C: Does it have more than one colour?",
    "large_diameter": "D: Is it 7 mm wide or more?",
    "evolving": "E: Has it changed in the last weeks or months?",
    "inflamed": "Is it red or swollen?",
}
SIGN_EXPLANATIONS: dict[str, str] = {
    "asymmetric": "Think of a line through the middle. Most moles look about the same on both sides of it.",
    "irregular_border": "Most moles end in a smooth line, like a coin. Look for dents, spikes, or colour that runs out.",
    "several_colours": "Look for two or more of brown, black, red, white, grey or blue. One even brown is one colour.",
    "large_diameter": "That is about the end of a pencil. A ruler is best.",
    "evolving": "In size, shape, colour or height. An old photo helps. If you cannot tell, leave it open.",
    "inflamed": "Redness around it, or a swelling, that was not there before.",
}

_TITLES: dict[NextStep, dict[Voice, str]] = {
    NextStep.EMERGENCY: {
        Voice.PUBLIC: "Get medical help now",
        Voice.CLINICIAN: "Same-day assessment",
        Voice.REPORT: "Medical help the same day",
    },
    NextStep.URGENT_2_WEEKS: {
        Voice.PUBLIC: "See a doctor within 2 weeks",
        Voice.CLINICIAN: "Suspected-cancer referral (within 2 weeks)",
        Voice.REPORT: "Doctor's appointment within 2 weeks",
    },
    NextStep.SEE_DOCTOR: {
        Voice.PUBLIC: "Show this spot to a doctor",
        Voice.CLINICIAN: "Clinical examination advised",
        Voice.REPORT: "Doctor's appointment",
    },
    NextStep.ROUTINE_CHECK: {
        Voice.PUBLIC: "Have it checked at a routine visit",
        Voice.CLINICIAN: "Routine skin check",
        Voice.REPORT: "Check at a routine visit",
    },
    NextStep.WATCH: {
        Voice.PUBLIC: "Keep watching it",
        Voice.CLINICIAN: "Self-monitoring with safety-netting",
        Voice.REPORT: "Self-monitoring, with a visit on any change",
    },
    NextStep.NOT_ASSESSED: {
        Voice.PUBLIC: "This photo could not be assessed",
        Voice.CLINICIAN: "Not assessed",
        Voice.REPORT: "Not assessed",
    },
}

_TEXTS: dict[NextStep, dict[Voice, str]] = {
    NextStep.EMERGENCY: {
        Voice.PUBLIC: "Call your emergency number, or go to the nearest emergency room. Do not wait for a photo check.",
        Voice.CLINICIAN: "The answers report bleeding that does not stop, or a very unwell person. "
        "No image finding bears on this.",
        Voice.REPORT: "The answers name a sign that needs medical help the same day, whatever a photo shows.",
    },
    NextStep.URGENT_2_WEEKS: {
        Voice.PUBLIC: "The answers or the photo show signs that a doctor should see soon. "
        "Skin cancer cannot be ruled out. Book a doctor now and show this page.",
        Voice.CLINICIAN: "Meets NG12 suspected-cancer referral on the answers (weighted 7-point score of "
        f"{SEVEN_POINT_URGENT} or more, or new, growing and bleeding), or the photo has features the model links with "
        "melanoma or squamous cell carcinoma, which cannot be ruled out.",
        Voice.REPORT: "The answers or the photo have features that are linked with skin cancer. It cannot be ruled out. "
        "An appointment within 2 weeks is advised.",
    },
    NextStep.SEE_DOCTOR: {
        Voice.PUBLIC: "A photo cannot settle this. Book a visit with a doctor and show this page, "
        "whatever the bars say.",
        Voice.CLINICIAN: "An overruling answer, an untested setting, an unsure model, or a share of cancer or pre-cancer "
        "above the operating threshold. Suspected basal cell carcinoma: routine referral unless site or size is a "
        "concern (NG12). A strong concern is reason to refer whatever the score.",
        Voice.REPORT: "The answers or the photo leave open what this is. Examination by a doctor is advised.",
    },
    NextStep.ROUTINE_CHECK: {
        Voice.PUBLIC: "Show this spot to a doctor at a routine visit. This does not rule out cancer. "
        "Go sooner if it changes, bleeds, hurts or worries you.",
        Voice.CLINICIAN: "Below the operating threshold and the weighted 7-point score below "
        f"{SEVEN_POINT_URGENT}, but one of the two keys is not calm: history, an untested setting, an open question, a "
        "photo that shows too little, a malignant class in the 95 % prediction set, or a share of cancer or pre-cancer at or "
        "above the calm line. Does not rule out cancer.",
        Voice.REPORT: "A check at a routine visit is advised, sooner on any change. This does not rule out cancer.",
    },
    NextStep.WATCH: {
        Voice.PUBLIC: "No high-risk features were found in this photo. This does not rule out cancer. "
        "See a doctor if anything changes or you stay worried. The 7-point list says what to watch.",
        Voice.CLINICIAN: "Every warning sign denied, below the model's calm line, and no "
        "malignant class in the 95 % prediction set. Does not rule out melanoma. Advise return on any change or continued worry.",
        Voice.REPORT: "No high-risk features were found in this photo. This does not rule out cancer. "
        "A visit is advised if anything changes or worry stays.",
    },
    NextStep.NOT_ASSESSED: {
        Voice.PUBLIC: "Do not use this as reassurance. Take a new photo, or show the spot to a doctor.",
        Voice.CLINICIAN: "No class was computed. Not evidence of absence: repeat the photo or examine the lesion.",
        Voice.REPORT: "The photo could not be assessed. This must not be used as reassurance.",
    },
}

_HOW_SOON: dict[NextStep, str] = {
    NextStep.EMERGENCY: "Now",
    NextStep.URGENT_2_WEEKS: "Book today, for a visit within 2 weeks",
    NextStep.SEE_DOCTOR: "Book this week, for the next free visit",
    NextStep.ROUTINE_CHECK: "At your next visit; at once if it changes",
    NextStep.WATCH: "Look at it once a month; see a doctor soon if it changes",
    NextStep.NOT_ASSESSED: "Today, with a new photo, or at a doctor's visit",
}

_BOOKING_REQUESTS: dict[NextStep, str] = {
    NextStep.EMERGENCY: "I need help now.",
    NextStep.URGENT_2_WEEKS: "I would like a doctor to look at it within 2 weeks, to check for skin cancer.",
    NextStep.SEE_DOCTOR: "I would like a doctor to look at it at the next free visit.",
    NextStep.ROUTINE_CHECK: "I would like it checked at a routine visit.",
    NextStep.WATCH: "It has not changed so far. I would like a doctor to look at it if I stay worried.",
    NextStep.NOT_ASSESSED: "A photo of it could not be assessed. I would like a doctor to look at it.",
}

_BOOKING_SIGNS: dict[str, str] = {
    "unstoppable_bleeding": "it bleeds and does not stop",
    "very_unwell": "I feel very ill with it",
    "changing": "it has changed",
    "bleeding": "it bleeds, oozes or crusts",
    "new": "it is new and grows",
    "painful": "it hurts or itches",
    "inflamed": "it is red or swollen",
    "asymmetric": "its halves look unlike",
    "irregular_border": "its edge is uneven",
    "several_colours": "it has several colours",
    "worried": "I am worried about it",
}

_SITE_PHRASES: dict[str, str] = {
    "head/neck": "on my head or neck",
    "torso": "on my body",
    "trunk": "on my body",
    "upper extremity": "on my arm",
    "lower extremity": "on my leg",
    "palms/soles": "on my palm or sole",
    "acral": "on my palm or sole",
    "oral/genital": "in my mouth or on my genitals",
    "genital": "on my genitals",
    "nail": "at a nail",
    "mucosa": "in my mouth, nose, eyelid or genitals",
}

_NOT_TESTED: dict[str, str] = {
    "under_18": f"The program was not tested on people under {MIN_AGE_YEARS}.",
    "nail": f"The program was not tested on spots {UNTESTED_SITES['nail']}.",
    "mucosa": f"The program was not tested on spots {UNTESTED_SITES['mucosa']}.",
}


def tested_on(phone_test: PhoneTest | None) -> str:
    """Return what the model was tested on and what not, phone photos by what was measured of it on them."""
    on_phones = "" if phone_test is None else f" {_phone_counts(phone_test)}"
    not_phones = "on phone photos, " if phone_test is None else ""
    return (
        "Tested on photos taken with a dermatoscope, from one archive (HAM10000: Austria and Australia), "
        f"mostly of light skin.{on_phones} Not tested on brown or black skin (types V and VI), {not_phones}"
        f"on people under {MIN_AGE_YEARS}, under nails, or inside the mouth, nose, eyelid or genitals. "
        "Rare forms, such as melanoma without colour, can be missed."
    )


def phone_words(phone_test: PhoneTest | None) -> str:
    """Return what stands beside the answer for a phone photo."""
    if phone_test is None:
        return PHONE_NOT_TESTED
    if may_phone_calm(phone_test):
        return f"{_phone_counts(phone_test)} The bars are less sure than for photos taken with a dermatoscope."
    return f"{_phone_counts(phone_test)} That is not enough for this photo to calm. Show the spot to a doctor."


def phone_rate_words(phone_test: PhoneTest) -> str | None:
    """Return how many cancers among phone photos the model found in its test; None where there were none."""
    if phone_test.sensitivity is None:
        return None
    interval = (
        ""
        if phone_test.low is None or phone_test.high is None
        else f" ({_of_100(phone_test.low)} to {_of_100(phone_test.high)})"
    )
    return (
        f"Of 100 phone photos of cancer or pre-cancer in its test, {_of_100(phone_test.sensitivity)}{interval} were at or "
        "above the model's line. The others would have been missed by the photo alone."
    )


def _phone_counts(phone_test: PhoneTest) -> str:
    return f"Tested on {phone_test.n_photos:,} phone photos, {phone_test.n_melanomas:,} of them of melanoma."


def step_title(step: NextStep, voice: Voice) -> str:
    """Return the heading for a next step."""
    return _TITLES[step][voice]


def step_text(step: NextStep, voice: Voice) -> str:
    """Return what the next step means, in one to three sentences."""
    return _TEXTS[step][voice]


def how_soon(step: NextStep) -> str:
    """Return when to act, in a few plain words."""
    return _HOW_SOON[step]


def class_name(code: str, voice: Voice) -> str:
    """Return the name of a class: plain words for the public, the archive's name for the others.

    Args:
        code: One of HAM10000's seven codes, or one of our nine.

    >>> class_name("akiec", Voice.PUBLIC), class_name("scc", Voice.CLINICIAN)
    ('Actinic keratosis or early squamous cell cancer', 'squamous cell carcinoma')
    """
    is_plain = voice is Voice.PUBLIC
    if code in HAM_NAMES:
        return HAM_PLAIN_NAMES[code] if is_plain else HAM_NAMES[code]
    return CLASS_BY_CODE[code].plain_name if is_plain else CLASS_BY_CODE[code].name


def refusal_text(reason: Reason) -> str:
    """Return what is said of a refused photo instead of a class."""
    return f"Could not assess this photo. {reason.sentence} Do not use this as reassurance."


def booking_words(screening: Screening) -> str:
    """Return what the person can say on the phone when booking."""
    site = screening.metadata.anatom_site
    where = "" if site is None else " " + _SITE_PHRASES.get(site, f"on my {site}")
    answers = replace(screening.answers, changing=screening.answers.changing or screening.answers.evolving)
    signs = [words for code, words in _BOOKING_SIGNS.items() if getattr(answers, code)]
    sentences = [f"I have a spot on my skin{where}." if site is None else f"I have a spot{where}."]
    if signs:
        listed = ", and ".join([", ".join(signs[:-1]), signs[-1]] if len(signs) > 1 else signs)
        sentences.append(listed[0].upper() + listed[1:] + ".")
    score = seven_point_score(screening.answers, screening.metadata)
    if score >= SEVEN_POINT_URGENT:
        sentences.append(f"It scores {score} on the 7-point checklist.")
    sentences.append(_BOOKING_REQUESTS[screening.next_step])
    return " ".join(sentences)


def report_sentences(screening: Screening) -> tuple[str, ...]:
    """Return the finding in the report's own words: both keys, the step, and what it does not mean.

    Free of orders and of "you": for a record, a letter or a chart.
    """
    n_refused = sum(photo.prediction is None for photo in screening.photos)
    said = [seven_point_words(screening.answers, screening.metadata)]
    for photo in screening.photos:
        if photo.prediction is not None:
            said.append(_photo_finding(photo, photo.prediction, kind_name(screening, photo)))
    if n_refused:
        said.append(f"Photos that could not be assessed: {n_refused} of {len(screening.photos)}.")
    step = screening.next_step
    said.append(f"Advice: {step_title(step, Voice.REPORT)}. {step_text(step, Voice.REPORT)}")
    return tuple(said)


def _photo_finding(photo: PhotoScreening, prediction: Prediction, kind: str) -> str:
    side = "at or above" if prediction.is_above_threshold else "below"
    names = ", ".join(class_name(code, Voice.REPORT) for code in prediction.set_90)
    unsure = " The model is unsure." if photo.status is Status.UNSURE else ""
    return (
        f"{kind.capitalize()}: share of cancer or pre-cancer {side} the operating threshold; "
        f"classes that stay possible at 90 %: {names}.{unsure}"
    )


def calm_rate_words(screening: Screening, photo: PhotoScreening) -> str | None:
    """Return how often such a calm answer was wrong in the model's test; None where nothing was measured for it.

    Said of an answered dermoscopic photo below the threshold only, and not of skin of type V or VI.
    """
    rate, prediction = screening.calm_rate, photo.prediction
    if (
        rate is None
        or prediction is None
        or photo.status is not Status.ANSWERED
        or prediction.is_above_threshold
        or screening.type_of(photo) is not ImageType.DERMOSCOPIC
        or screening.metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES
    ):
        return None
    interval = "" if rate.low is None or rate.high is None else f" ({_of_100(rate.low)} to {_of_100(rate.high)})"
    return (
        f"Of 100 test photos whose answer was below the line for a doctor, as here, {_of_100(rate.share)}{interval} were "
        f"cancer or pre-cancer all the same. In the whole test it was {_of_100(rate.prevalence)} of 100; everyday life has far fewer."
    )


def _of_100(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.1 or share == 0 else f"{100 * share:.1f}"


def _phone_limit(phone_test: PhoneTest | None) -> str:
    if phone_test is None:
        return "The program was not tested on phone photos."
    return (
        f"The program was tested on {phone_test.n_photos:,} phone photos only, {phone_test.n_melanomas:,} of them of "
        "melanoma."
    )


def not_checked(screening: Screening) -> tuple[str, ...]:
    """Return what nobody may read into this result, what matters most for this person first."""
    answers, metadata = screening.answers, screening.metadata
    said: list[str] = []
    n_refused = sum(photo.status is Status.REFUSED for photo in screening.photos)
    if n_refused and len(screening.photos) == 1:
        said.append("The photo could not be assessed.")
    elif n_refused:
        said.append(f"{n_refused} of {len(screening.photos)} photos could not be assessed.")
    if metadata.age_approx is None:
        said.append(f"No age was given. {_NOT_TESTED['under_18']}")
    said += [_NOT_TESTED[code] for code in untested_codes(answers, metadata)]
    if screening.image_type is ImageType.CLINICAL:
        said.append(_phone_limit(screening.phone_test))
    if screening.is_mixed:
        said.append(FUSION_NOT_MEASURED)
    if metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES:
        said.append("The program was not tested on your skin type. It knows mostly light skin.")
    else:
        said.append("Brown and black skin (types V and VI) was not tested.")
    if open_questions(answers):
        said.append("Some questions about warning signs were not answered.")
    said.append("Only this one spot was looked at, not the rest of the skin.")
    said.append(
        "A photo shows no depth and cannot be felt. Rare forms, such as melanoma without colour, can be missed."
    )
    return tuple(said)
