"""Against biopsy: the model and the clinicians beside what lesions turned out to be, and readers beside each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.services import models
from dermascan_core.services.access import Role, User
from dermascan_core.services.checks import note_check, reminder_words
from dermascan_core.services.decay_alarm import CONFIRMED_BY, withhold_on_decay
from dermascan_core.services.drift import AS_USUAL, find_decay
from dermascan_core.services.map_audit import VERDICTS, count_verdicts
from dermascan_core.services.outcome_statistics import (
    QUESTIONS,
    OutcomeReport,
    PairAgreement,
    compare_reviewers,
    error_log_csv,
    report_outcomes,
)
from dermascan_core.services.readings import CONFIRM_TYPES
from dermascan_core.services.records import Records
from dermascan_core.services.survey import AGREEMENT, STATEMENTS, answer_survey, survey_answers, survey_results
from dermascan_core.services.withholding import Withheld
from pages._ui.access import require
from pages._ui.frame import Width, as_plain_text, failures_told, link_page, page_frame
from pages._ui.queue import LESION_PARAM, PERSON_PARAM
from pages._ui.records import lesion_name, now_utc, open_records_here
from pages._ui.withheld import offer_switch

if TYPE_CHECKING:
    from dermascan_core.evaluation.intervals import Estimate
    from dermascan_core.evaluation.outcomes import AgainstOutcomes, ChangeOfMind, Proportion

TOO_FEW = "too few to show as a share"
_LIMITS = (
    "Only lesions with an outcome count here, and mostly the suspicious ones get one: among all that were looked at, both "
    "figures would be others. Of each lesion counts what was said before its first outcome was entered; of several answers "
    "of the model, the last one before it. Demo people never count."
)
_MAX_LISTED = 20


def show_page() -> None:
    page_frame("Against biopsy: what was found, missed, and changed", width=Width.TABLE)
    user = require(Role.CLINICIAN)
    records = open_records_here()
    st.markdown(_LIMITS)
    ways = st.multiselect("Confirmed by", CONFIRM_TYPES, default=CONFIRM_TYPES[:1], key="outcome_ways")
    report = report_outcomes(records, verified_by=ways)
    if withhold_on_decay(records, now=now_utc(), report=report if tuple(ways) == CONFIRMED_BY else None) is not None:
        st.rerun()  # the frame says so above everything else
    if not report.cases:
        st.info("No outcome is known yet. Enter one in the history of a case.", icon=":material/biotech:")
        link_page("pages/case_history.py", "Case history", icon=":material/history:")
        offer_switch(user)
    else:
        _show_report(report, user)
        _offer_log(records, ways)
    _show_pairs(compare_reviewers(records))
    _show_maps(records)
    _show_survey(records, user.name)
    _show_check(records, user.name)


def _show_report(report: OutcomeReport, user: User) -> None:
    counted = ", ".join(f"{dx} {n}" for dx, n in report.by_dx.items())
    lesions = f"{len(report.cases)} lesion{'s' if len(report.cases) != 1 else ''}"
    st.markdown(f"**{lesions} with an outcome**: {counted}.")
    if report.n_unanswered:
        st.markdown(f"Of {report.n_unanswered} the model had given no answer before; they are left out of its figures.")
    whose = {case.record.lesion_id: case.record.pseudonym for case in report.cases}
    st.header("The model")
    for name, measured in report.model.items():
        _show_measured(QUESTIONS[name], measured, whose)
    is_worse = _show_decay(report)
    offer_switch(user, suggested=Withheld.CALM if is_worse else None)
    st.header("The clinicians (first reader of each lesion)")
    for title, side in (("Before the model's answer was shown", report.own), ("In the end", report.final)):
        st.subheader(title)
        for name, measured in side.items():
            _show_measured(QUESTIONS[name], measured, whose)
    st.header("What seeing the model changed")
    for name, change in report.change.items():
        st.markdown(f"- {QUESTIONS[name]}: {change_words(change)}")
    st.header("Each reader, in the end")
    for reader, by_question in report.readers.items():
        st.subheader(as_plain_text(reader))
        for name, measured in by_question.items():
            _show_measured(QUESTIONS[name], measured, whose)


_WHAT_TO_DO = {
    "sensitivity": "Do not rely on its calmer answers until somebody has found out why: withhold them below.",
    "specificity": "It sends more people to a doctor for nothing than it did there. Find out why.",
}


def _show_decay(report: OutcomeReport) -> bool:
    """Say whether the model's threshold does here what it did in its test; return whether it misses certainly more."""
    st.subheader("Beside its test")
    found = find_decay(report.model["threshold"], models.DEFAULT_MODEL)
    for side, (stands, tested) in found.items():
        words = f"{side} of the model's threshold; in its test {100 * tested:.0f} %"
        if stands == "worse":
            st.error(
                f"**Worse than in the test**: {words}. Even with the luck of so few cases it is lower by more than 5 points. "
                + _WHAT_TO_DO[side],
                icon=":material/trending_down:",
            )
        elif stands == "lower":
            st.warning(f"Lower than in the test by more than 5 points, which may be chance: {words}.")
        elif stands == AS_USUAL:
            st.markdown(f"- As in the test: {words}.")
        else:
            st.markdown(f"- Too few cases to set the {side} of the model's threshold beside its test.")
    st.caption(
        "Mostly suspicious lesions get an outcome, which lowers the specificity here. Whether the photos themselves are of "
        "another kind than those of the test is counted by `python -m dermascan_core drift PHOTOS`."
    )
    return found.get("sensitivity", ("", 0.0))[0] == "worse"


def _show_measured(question: str, measured: AgainstOutcomes, whose: Mapping[str, str]) -> None:
    st.markdown(
        f"**{question}**\n\n- Sensitivity: {share_words(measured.sensitivity)}\n"
        f"- Specificity: {share_words(measured.specificity)}"
    )
    _link_lesions("Missed", measured.missed, whose)
    _link_lesions("Cancer or pre-cancer without an answer", measured.unanswered_malignant, whose)


def _link_lesions(title: str, lesion_ids: Sequence[str], whose: Mapping[str, str]) -> None:
    """Name each lesion by its person and itself, as Case history does, and link there; nothing where there is none."""
    if not lesion_ids:
        return
    more = f", and {n_more} more (in the log below)" if (n_more := len(lesion_ids) - _MAX_LISTED) > 0 else ""
    st.markdown(f"- {title}, each with its history{more}:")
    with st.container(horizontal=True):
        for one in lesion_ids[:_MAX_LISTED]:
            label = f"{whose[one]}, {lesion_name(one)}"
            query = {PERSON_PARAM: whose[one], LESION_PARAM: one}
            link_page("pages/case_history.py", label, icon=":material/history:", query=query)


def share_words(share: Proportion) -> str:
    """Return a share with its exact interval; counts alone where there are too few.

    >>> from dermascan_core.evaluation.outcomes import proportion
    >>> share_words(proportion(3, 4))
    '3 of 4 (too few to show as a share)'
    >>> share_words(proportion(18, 20))
    '18 of 20: 90 % (95 % interval 68 to 99 %)'
    """
    counted = f"{share.n_true} of {share.n}"
    if not share.is_enough or share.value is None or share.low is None or share.high is None:
        return f"{counted} ({TOO_FEW})"
    return f"{counted}: {100 * share.value:.0f} % (95 % interval {100 * share.low:.0f} to {100 * share.high:.0f} %)"


def change_words(change: ChangeOfMind) -> str:
    """Return what a second look changed, as a sentence."""
    if not change.n:
        return "nobody has read a case of a known outcome yet."
    said = f"of {change.n} readings {change.n_changed} were turned round: {len(change.helped)} to the better, "
    return (
        f"{said}{len(change.hurt)} to the worse (by chance alone as uneven in {100 * change.p_value:.0f} % of times)."
    )


def _offer_log(records: Records, ways: Sequence[str]) -> None:
    st.header("What was missed or called in vain")
    site = st.text_input("Site (as it is called elsewhere)", key="site_id", max_chars=40)
    st.download_button(
        "Log of misses and false alarms (CSV)",
        data=lambda: error_log_csv(records, site_id=site, verified_by=ways),
        file_name="dermascan-errors.csv",
        mime="text/csv",
        on_click="ignore",
        key="download_errors",
    )


def _show_pairs(pairs: Sequence[PairAgreement]) -> None:
    st.header("Two readers of the same cases")
    if not pairs:
        st.markdown("No case has been read by two clinicians yet.")
    for pair in pairs:
        first, second = (as_plain_text(name) for name in pair.reviewers)
        st.markdown(f"**{first} and {second}** (own opinions, before the model's answer)")
        for title, found in (("Diagnosis", pair.diagnosis), ("Whether a doctor is advised", pair.step)):
            shown = f"{found.n_same} of {found.n} the same"
            if found.is_enough:
                shown += f": {_estimate(found.share, 100)} %; kappa {_estimate(found.kappa, 1)}"
            else:
                shown += f" ({TOO_FEW})"
            st.markdown(f"- {title}: {shown}")


def _estimate(estimate: Estimate, factor: int) -> str:
    if math.isnan(estimate.value):
        return "not defined (one answer alone was ever given)"
    digits = 0 if factor == 100 else 2
    value = f"{factor * estimate.value:.{digits}f}"
    if math.isnan(estimate.low):
        return value
    return f"{value} (95 % interval {factor * estimate.low:.{digits}f} to {factor * estimate.high:.{digits}f})"


def _show_maps(records: Records) -> None:
    st.header("Where the network looked, by the clinicians' eye")
    counted = count_verdicts(records.database)
    if not any(share.n for share in counted.values()):
        st.markdown("No heat map has been judged yet. Review asks for it beside each answer.")
        return
    st.markdown("\n".join(f"- {VERDICTS[name]}: {share_words(share)}" for name, share in counted.items()))
    st.caption("Each clinician counts once a case; demo people never count.")


def _show_survey(records: Records, user: str) -> None:
    st.header("What clinicians say of it")
    results, own = survey_results(records.database), survey_answers(records.database).get(user)
    n = sum(results[0].counts)
    if n:
        st.markdown(f"Answered by {n} clinician{'s' if n != 1 else ''}; of each the last answer counts.")
        st.markdown(
            "\n".join(
                f"- {STATEMENTS[one.name]}: median **{one.median:g}** of 5 (chosen 1 to 5: {', '.join(map(str, one.counts))})"
                for one in results
            )
        )
    else:
        st.markdown("Nobody has answered yet.")
    with (
        st.expander("Answer again" if own else "Say what you think of it", icon=":material/rate_review:"),
        st.form("survey", border=False),
    ):
        answers = {
            name: st.segmented_control(
                statement,
                list(AGREEMENT),
                format_func=lambda choice: f"{choice} {AGREEMENT[choice]}",
                default=own[name] if own else None,
                key=f"survey_{name}",
            )
            for name, statement in STATEMENTS.items()
        }
        st.caption("Your name and the five numbers are kept in the audit trail, nothing else.")
        if st.form_submit_button("Keep my answers", key="keep_survey", icon=":material/check:"):
            given = {name: choice for name, choice in answers.items() if choice is not None}
            if len(given) < len(STATEMENTS):
                st.error("Please answer all five: one is missing.")
            else:
                answer_survey(records.database, given, actor=user, now=now_utc())
                st.rerun()


def _show_check(records: Records, user: str) -> None:
    st.header("The check every three months")
    st.markdown(as_plain_text(reminder_words(records.database, now=now_utc()), max_chars=300))
    if st.button("I have looked at these figures today", key="note_check", icon=":material/event_available:"):
        note_check(records.database, actor=user, now=now_utc())
        st.rerun()


with failures_told("outcomes"):
    show_page()
