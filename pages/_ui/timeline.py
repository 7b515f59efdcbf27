"""A lesion's history in the order of the audit trail: photos, answers, readings, remarks, outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.services.lesion_dates import is_read
from dermascan_core.services.readings import OTHER, OTHER_CANCER
from dermascan_core.services.reviewing import WITHDRAWN
from dermascan_core.taxonomy import CLASS_BY_CODE, HAM_NAMES
from dermascan_core.triage.shown import percent_words

from .frame import as_plain_text, link_page
from .queue import CASE_PARAM
from .reading import DX_WORDS, STEP_WORDS, review_words
from .records import day, moment

if TYPE_CHECKING:
    from datetime import datetime

    from dermascan_core.services.history import KeptCase, LesionHistory
    from dermascan_core.storage.kept import KeptComment, KeptOutcome, KeptReview

_MAX_CHARS = 4_000
_NAMES = {OTHER: "another finding, not malignant", OTHER_CANCER: "another cancer"}


def show_timeline(history: LesionHistory, *, reviewer: str) -> None:
    """Show all of a lesion in order.

    Args:
        history: Of the lesion.
        reviewer: Who looks: of a case that they have not read, neither the model's answer nor others' readings are shown.
    """
    lines: list[tuple[int, str]] = []
    for case in history.cases:
        lines += _case_lines(case, reviewer)
    lines += [(one.audit_number, _comment(one)) for one in history.comments]
    lines += [(one.audit_number, _outcome(one)) for one in history.outcomes]
    st.markdown("\n".join(f"- {words}" for _, words in sorted(lines)) or "Nothing kept yet.")
    unread = [case for case in history.cases if not is_read(case, reviewer)]
    if unread:
        left = "" if len(unread) == 1 else f", the first of {len(unread)}"
        query = {CASE_PARAM: unread[0].screening.id}
        link_page(
            "pages/review.py", f"Read what you have not read yet{left}", icon=":material/rate_review:", query=query
        )


def answer_line(case: KeptCase, *, reviewer: str) -> str:
    """Return when a screening was and what was answered; of a case that ``reviewer`` has not read, not what."""
    kept = case.screening
    head = f"{moment(kept.screened_at)}: screened, {kept.image_type}"
    if not is_read(case, reviewer):
        return f"{head}. Not read by you yet, so its answer is not shown here."
    share = "not assessed" if kept.p_malignant is None else f"{percent_words(kept.p_malignant)} cancer or pre-cancer"
    first = DX_WORDS.get(kept.predicted or "", "no class")
    again = " It was answered anew with another square or answer." if kept.replaces_id else ""
    return f"{head}: {first}, {share}, {STEP_WORDS[kept.next_step].lower()} (model {as_plain_text(kept.model)}).{again}"


def outcome_name(code: str) -> str:
    """Return what a lesion turned out to be, in words.

    >>> outcome_name("mel"), outcome_name("other")
    ('melanoma', 'another finding, not malignant')
    """
    if code in _NAMES:
        return _NAMES[code]
    return CLASS_BY_CODE[code].name if code in CLASS_BY_CODE else HAM_NAMES[code]


def _case_lines(case: KeptCase, reviewer: str) -> list[tuple[int, str]]:
    answer = (case.screening.audit_number, answer_line(case, reviewer=reviewer))
    if not is_read(case, reviewer):
        return [answer]
    return [answer, *((one.audit_number, _review(one, case.screening.screened_at)) for one in case.reviews)]


def _review(review: KeptReview, screened_at: datetime) -> str:
    who = f"{moment(review.confirmed_at)}: {as_plain_text(review.reviewer)}"
    which = f"the screening of {moment(screened_at)}"
    if review.decision == WITHDRAWN:
        return f"{who} took reading {review.version - 1} of {which} back."
    return f"{who} read {which}. {review_words(review)}"


def _comment(comment: KeptComment) -> str:
    return f"{moment(comment.at)}: {as_plain_text(comment.author)} remarked: {as_plain_text(comment.text, max_chars=_MAX_CHARS)}"


def _outcome(outcome: KeptOutcome) -> str:
    words = f" {as_plain_text(outcome.note, max_chars=_MAX_CHARS)}" if outcome.note else ""
    return (
        f"{moment(outcome.entered_at)}: {as_plain_text(outcome.entered_by)} entered the outcome: **{outcome_name(outcome.dx)}**, "
        f"{outcome.confirmed_by}, found {day(outcome.found_at)}.{words}"
    )
