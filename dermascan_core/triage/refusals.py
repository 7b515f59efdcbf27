"""What a refused photo leads to: the one thing to do better, and after two refusals a doctor instead of a third try."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..domain import Answers, Metadata, NextStep, Reason, Screening, most_urgent
from .policy import step_from_answers
from .rules import RULES
from .wording import Voice, how_soon, step_text, step_title

WITHHELD = "answers_withheld"  # the code of a photo that nobody looked at, as all answers are stopped
MAX_REFUSALS = 2  # photos of one lesion; more tries tire a person out, and a doctor needs no photo
GIVEN_UP_TITLE = "We could not assess it: show the spot to a doctor"
GIVEN_UP_TEXT = (
    "Photos of it were refused, so we do not ask for another one. A doctor can look at the spot itself. "
    "Do not use this as reassurance."
)


_NO_RETAKE_SOON = "At a doctor's visit; no other photo is needed"
_NO_RETAKE_TEXTS = {
    Voice.PUBLIC: "Do not use this as reassurance. Another photo would not help here: show the spot to a doctor.",
    Voice.CLINICIAN: "No class was computed, and no other photo would change that here. Not evidence of absence: examine "
    "the lesion.",
}


@dataclass(frozen=True, slots=True)
class StepWords:
    """What is said of a result's next step: when to act, and what it means."""

    how_soon: str
    text: str


def asks_for_retake(reason: Reason) -> bool:
    """Whether another photo could help: not where the person or the place was never tested, nor after a moved square.

    Nor where answers are stopped, which is no fault of the photo.

    >>> asks_for_retake(Reason("too_dark", "")), asks_for_retake(Reason("not_tested_nail", ""))
    (True, False)
    """
    return not reason.code.startswith("not_tested_") and reason.code not in ("crop_too_small", WITHHELD)


def fault_and_advice(reason: Reason) -> tuple[str, str]:
    """Part a refusal into what is wrong and the one thing to do better; the last sentence of each reason is that thing.

    >>> fault_and_advice(Reason("x", "The photo is too dark to judge. Turn on a lamp, and take it again."))
    ('The photo is too dark to judge.', 'Turn on a lamp, and take it again.')
    """
    *faults, advice = re.split(r"(?<=[.!?]) (?=[A-Z])", reason.sentence)
    return (" ".join(faults), advice) if faults else (advice, "")


def retake_words(reason: Reason, *, closing: str, is_given_up: bool) -> str:
    """Return what is said of a refused photo (Markdown): the one thing to do better first, then why, then ``closing``.

    Where no other photo is asked for, or none could help, nothing to do better is said.
    """
    fault, advice = fault_and_advice(reason)
    if is_given_up or not advice or not asks_for_retake(reason):
        said = fault if is_given_up else reason.sentence
        return f"{said} {closing}"
    return f"**First: {advice[0].lower()}{advice[1:]}**\n\n{fault} {closing}"


def step_words(screening: Screening, voice: Voice) -> StepWords:
    """Return how soon a result's next step is and what it means; a new photo is not asked for where none could help.

    Where all answers are stopped, every next photo would be refused as well.
    """
    step = screening.next_step
    faults = [photo.reason for photo in screening.photos if photo.reason is not None]
    if step is NextStep.NOT_ASSESSED and faults and all(fault.code == WITHHELD for fault in faults):
        return StepWords(_NO_RETAKE_SOON, _NO_RETAKE_TEXTS.get(voice, step_text(step, voice)))
    return StepWords(how_soon(step), step_text(step, voice))


def is_given_up(screening: Screening) -> bool:
    """Whether the result asks for a doctor because its photos, and those before them, were refused too often."""
    return RULES["photos_given_up"].sentence in screening.step_reasons


def given_up_words(answers: Answers, metadata: Metadata, voice: Voice) -> str:
    """Return what to do when no other photo is asked for, with the answers' own step where it is more urgent."""
    asked, _ = step_from_answers(answers, metadata)
    step = most_urgent(NextStep.SEE_DOCTOR, *([] if asked is None else [asked]))
    own = "" if step is NextStep.SEE_DOCTOR else f" Your answers ask for more: {step_title(step, voice).lower()}."
    return f"**{GIVEN_UP_TITLE}.** {how_soon(step)}.{own}\n\n{GIVEN_UP_TEXT}"
