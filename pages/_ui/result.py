"""A result on screen: the next step first, then what the model says of each photo, its limits, and what to take home."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from dermascan_core.domain import ImageType, NextStep, PhotoScreening, Prediction, Screening, Status
from dermascan_core.model.manifest import Manifest
from dermascan_core.reports.card import render_card
from dermascan_core.reports.export import screening_to_csv, screening_to_json
from dermascan_core.services.dicom_export import as_dicom
from dermascan_core.services.handover import clinician_page, fhir_record
from dermascan_core.services.intake import Intake, preview_with_crop
from dermascan_core.taxonomy import HAM_MALIGNANT
from dermascan_core.triage.checklist import seven_point_score
from dermascan_core.triage.refusals import asks_for_retake, is_given_up, retake_words, step_words
from dermascan_core.triage.rules import UNTESTED_SKIN_TYPES
from dermascan_core.triage.shown import order_note, percent_words, possible_codes, ranked_shares
from dermascan_core.triage.two_kinds import fusion_words, kind_name
from dermascan_core.triage.wording import (
    BARS_CAPTION,
    DARK_SKIN_NOT_TESTED,
    P_MALIGNANT_NAME,
    SEVEN_POINT_LIST,
    UNSURE_SENTENCE,
    Voice,
    booking_words,
    class_name,
    not_checked,
    phone_rate_words,
    phone_words,
    step_title,
    tested_on,
)

from . import charts, measures
from .evidence import show_evidence
from .explain import show_heat_map
from .frame import as_plain_text
from .frequencies import is_counted, show_frequency
from .model import engine_note
from .similar import show_similar
from .skin_tone import show_skin_tone

_NO_FIGURES = (
    "How often such answers were wrong is not known: the test held no {kinds}, so no figures exist for such photos."
)


def show_next_step(screening: Screening, voice: Voice) -> None:
    """Show what to do next, how soon, why, and what to say when booking."""
    step = screening.next_step
    show = {NextStep.EMERGENCY: st.error, NextStep.URGENT_2_WEEKS: st.error, NextStep.SEE_DOCTOR: st.warning}.get(
        step, st.info
    )
    said = step_words(screening, voice)
    show(f"### {step_title(step, voice)}\n\n**{said.how_soon}.**\n\n{said.text}", icon=_ICONS[step])
    if screening.disagreement:
        st.warning(screening.disagreement, icon=":material/compare:")
    if screening.step_reasons:
        st.markdown("**Why**\n" + "\n".join(f"- {reason}" for reason in screening.step_reasons))
    st.markdown("**What to say when you book**")
    with st.container(border=True):
        st.markdown(booking_words(screening))
    if step in (NextStep.WATCH, NextStep.ROUTINE_CHECK):
        st.markdown("**Go sooner if one of these is true**\n" + "\n".join(f"- {sign}" for sign in SEVEN_POINT_LIST))


_ICONS = {
    NextStep.EMERGENCY: ":material/emergency:",
    NextStep.URGENT_2_WEEKS: ":material/priority_high:",
    NextStep.SEE_DOCTOR: ":material/stethoscope:",
    NextStep.ROUTINE_CHECK: ":material/event:",
    NextStep.WATCH: ":material/visibility:",
    NextStep.NOT_ASSESSED: ":material/no_photography:",
}


def show_agreement(screening: Screening, voice: Voice) -> None:
    """Show what each of several photos was answered, one row a photo."""
    if len(screening.photos) < 2:
        return
    st.subheader("Do the photos agree?")
    if words := fusion_words(screening):
        st.info(words, icon=":material/call_split:")
    rows = [
        {
            "photo": f"{index}: {kind_name(screening, photo)}" if screening.is_mixed else str(index),
            "shown first": _first(photo, voice),
            "cancer or pre-cancer": "-" if photo.prediction is None else percent_words(photo.prediction.p_malignant),
            "next step": step_title(photo.next_step, voice),
        }
        for index, photo in enumerate(screening.photos, start=1)
    ]
    with st.container(key="words-agreement"):
        st.table(rows, hide_index=True)


def _first(photo: PhotoScreening, voice: Voice) -> str:
    return "not assessed" if photo.prediction is None else class_name(photo.prediction.predicted, voice)


def show_photo_result(screening: Screening, index: int, *, intake: Intake, manifest: Manifest, voice: Voice) -> None:
    """Show one photo: the picture, ranked classes with bars, the chart, and where the network looked."""
    photo = screening.photos[index]
    screening = screening.as_of(photo)
    title = "What the model sees in the photo" if len(screening.photos) == 1 else f"Photo {index + 1}"
    st.subheader(f"{title}: {kind_name(screening, photo)}" if screening.is_mixed else title)
    st.caption(as_plain_text(photo.name))
    if photo.prediction is None:
        _show_refusal(screening, photo)
        if intake.preview_jpeg:
            with st.container(key=f"photo-refused-{index}"):
                st.image(intake.preview_jpeg, width=240)
        return
    _show_marks(screening, photo)
    is_greyed = photo.status is Status.UNSURE
    picture, bars = st.columns([1, 2])
    if photo.crop is not None:
        with picture, st.container(key=f"thumb-{index}"):
            st.image(preview_with_crop(intake, photo.crop), caption="The square was looked at.", width="stretch")
    with bars, st.container(key=f"{'greyed' if is_greyed else 'bars'}-{index}"):
        show_ranked(photo.prediction, voice)
    st.caption(BARS_CAPTION)
    st.markdown("**All seven classes**")
    st.plotly_chart(
        charts.class_chart(photo.prediction, photo.prediction_without_metadata, voice=voice, is_greyed=is_greyed),
        key=f"classes_{index}",
        config=charts.CONFIG,
        alt="Bars with the share of each of the seven classes, as listed above",
    )
    colours = "Grey: the model is unsure." if is_greyed else "Orange: cancer or pre-cancer. Blue: the other classes."
    st.caption(f"{colours} {_metadata_effect(photo, voice)}")
    show_frequency(screening, photo, index, manifest=manifest, voice=voice)
    if voice is Voice.CLINICIAN:
        _show_numbers(photo, photo.prediction, manifest.as_for(screening.image_type))
    show_evidence(screening, index, voice)
    show_heat_map(screening, index, voice=voice)
    show_skin_tone(screening, intake, manifest=manifest, voice=voice)
    show_similar(screening, index, manifest=manifest, voice=voice)


def _show_refusal(screening: Screening, photo: PhotoScreening) -> None:
    if photo.reason is None:
        st.error("Not assessed.", icon=":material/no_photography:")
        return
    given_up = is_given_up(screening)
    closing = "This photo could not be assessed. Do not use this as reassurance."
    st.error(retake_words(photo.reason, closing=closing, is_given_up=given_up), icon=":material/no_photography:")
    if not given_up and asks_for_retake(photo.reason):
        st.markdown("Add a better photo under *Change photos or answers*. *Know your skin* shows how to take one.")


def _show_marks(screening: Screening, photo: PhotoScreening) -> None:
    if photo.status is Status.UNSURE:
        st.warning(photo.reason.sentence if photo.reason else UNSURE_SENTENCE, icon=":material/help:")
    if screening.image_type is ImageType.CLINICAL:
        st.warning(phone_words(screening.phone_test), icon=":material/smartphone:")
    if screening.metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES:
        st.warning(DARK_SKIN_NOT_TESTED, icon=":material/warning:")
    for warning in photo.quality.warnings if photo.quality else ():
        st.warning(warning.sentence)


def show_ranked(prediction: Prediction, voice: Voice) -> None:
    """Show all seven classes with bars, in the order of ``ranked_shares``, and how much of them is cancer or pre-cancer."""
    ranked = ranked_shares(prediction)
    # Clinicians read the set as it was fitted, others what stays possible.
    possible = prediction.set_90 if voice is Voice.CLINICIAN else possible_codes(prediction)
    in_set = "in the 90 % set" if voice is Voice.CLINICIAN else "also possible"
    for place, (code, share) in enumerate(ranked, start=1):
        marks = [
            "" if code != prediction.predicted else "shown first" if place == 1 else "stands out most",
            "cancer or pre-cancer" if code in HAM_MALIGNANT else "",
            in_set if code in possible and code != prediction.predicted else "",
        ]
        notes = ", ".join(mark for mark in marks if mark)
        name = f"**{class_name(code, voice)}**" if place == 1 else class_name(code, voice)
        st.progress(
            min(share, 1.0), text=f"{place}. {name}: **{percent_words(share)}**" + (f" ({notes})" if notes else "")
        )
    if note := order_note(prediction):
        st.caption(note)
    st.progress(
        min(prediction.p_malignant, 1.0), text=f"{P_MALIGNANT_NAME}: **{percent_words(prediction.p_malignant)}**"
    )


def _metadata_effect(photo: PhotoScreening, voice: Voice) -> str:
    now, alone = photo.prediction, photo.prediction_without_metadata
    if now is None or alone is None or now is alone:
        return "Age, sex and place were not given, so the photo alone was used."
    words = (
        f"With your answers: cancer or pre-cancer {percent_words(now.p_malignant)}, "
        f"shown first {class_name(now.predicted, voice)}. "
        f"From the photo alone: {percent_words(alone.p_malignant)}, {class_name(alone.predicted, voice)}."
    )
    return f"{words} The more urgent of the two decides the next step."


def _show_numbers(photo: PhotoScreening, prediction: Prediction, manifest: Manifest) -> None:
    side = "at or above" if prediction.is_above_threshold else "below"
    measures = photo.quality.measures if photo.quality else {}
    lines = [
        f"p(malignant) = {prediction.p_malignant:.4f}, {side} the operating threshold {manifest.threshold:.4f} "
        f"({as_plain_text(manifest.threshold_rule, max_chars=300)})",
        f"90 % prediction set: {', '.join(prediction.set_90)}; 95 %: {', '.join(prediction.set_95)}",
        f"{prediction.views_agreeing} of {prediction.n_views} flips and rotations show {prediction.predicted} first",
        "probabilities: "
        + ", ".join(f"{code} {p:.4f}" for code, p in zip(prediction.codes, prediction.probabilities, strict=True)),
        "quality: " + ", ".join(f"{as_plain_text(name)} {value:.3g}" for name, value in measures.items()),
        f"answered in {photo.elapsed_ms:.0f} ms",
    ]
    st.markdown("**Numbers**\n" + "\n".join(f"- {line}" for line in lines))


def show_limits(screening: Screening, manifest: Manifest, evaluation: dict[str, Any] | None, voice: Voice) -> None:
    """Show how often such answers were wrong, what the model was tested on, what was not checked, and which model."""
    st.subheader("What this cannot tell you")
    for one in screening.by_type():
        _show_rates(one, manifest, evaluation)
    st.markdown(tested_on(screening.phone_test))
    st.markdown("\n".join(f"- {sentence}" for sentence in not_checked(screening)))
    if voice is Voice.CLINICIAN:
        score = seven_point_score(screening.answers, screening.metadata)
        st.markdown(f"Weighted 7-point score from the answers: **{score}** (a lower bound, unknown counts 0).")
    st.caption(
        f"Model {as_plain_text(screening.model)} {as_plain_text(manifest.version)}, engine {screening.engine}, "
        f"weights {screening.model_sha256[:12]}, program {as_plain_text(screening.app_version)}, "
        f"screened at {as_plain_text(screening.screened_at)}"
    )
    if note := engine_note(screening.model):
        st.caption(f":material/speed: {as_plain_text(note, max_chars=600)}")


def _show_rates(screening: Screening, manifest: Manifest, evaluation: dict[str, Any] | None) -> None:
    sides = sorted({p.prediction.is_above_threshold for p in screening.photos if p.prediction}, reverse=True)
    if sides and not _is_like_the_test(screening):
        st.markdown(f"**{_phone_figures(screening) or _no_figures(screening)}**")
    elif evaluation is not None and not is_counted(screening, manifest):
        for is_above in sides:
            st.markdown(f"**{measures.among_such_answers(evaluation, is_above=is_above)}**")


def _phone_figures(screening: Screening) -> str | None:
    is_dark = screening.metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES
    return None if is_dark or screening.phone_test is None else phone_rate_words(screening.phone_test)


def _no_figures(screening: Screening) -> str:
    dark = "brown or black skin"
    return _NO_FIGURES.format(kinds=f"phone photos and no {dark}" if screening.phone_test is None else dark)


def _is_like_the_test(screening: Screening) -> bool:
    is_dark = screening.metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES
    return screening.image_type is ImageType.DERMOSCOPIC and not is_dark


def offer_downloads(screening: Screening, manifest: Manifest, intakes: Sequence[Intake], voice: Voice) -> None:
    """Offer the result as a page, a table and data; to clinicians also their report, a FHIR record and DICOM files."""
    st.subheader("Take it with you")
    answered = [i for i, photo in enumerate(screening.photos) if photo.prediction is not None]
    leading = max(answered, key=lambda i: screening.photos[i].next_step.urgency, default=0)
    is_clinician = voice is Voice.CLINICIAN
    with st.container(horizontal=True):
        if is_clinician:
            st.download_button(
                "Report for the clinician (PNG)",
                data=lambda: clinician_page(screening, manifest, photo_index=leading),
                file_name="dermascan-clinician.png",
                mime="image/png",
                icon=":material/clinical_notes:",
                on_click="ignore",
                type="primary",
                key="download_clinician_page",
            )
        st.download_button(
            "One page for the patient (PNG)" if is_clinician else "One page to show a doctor (PNG)",
            data=lambda: render_card(screening, photo_index=leading),
            file_name="dermascan.png",
            mime="image/png",
            icon=":material/description:",
            on_click="ignore",
            type="secondary" if is_clinician else "primary",
            key="download_card",
        )
        st.download_button(
            "Table (CSV)",
            data=lambda: screening_to_csv(screening),
            file_name="dermascan.csv",
            mime="text/csv",
            on_click="ignore",
            key="download_csv",
        )
        st.download_button(
            "Data (JSON)",
            data=lambda: screening_to_json(screening),
            file_name="dermascan.json",
            mime="application/json",
            on_click="ignore",
            key="download_json",
        )
        if is_clinician:
            st.download_button(
                "For a clinic's records (FHIR)",
                data=lambda: fhir_record(screening, manifest),
                file_name="dermascan.fhir.json",
                mime="application/fhir+json",
                on_click="ignore",
                key="download_fhir",
                help="An HL7 FHIR R4 Bundle: shares, sets, answers, limits and the model. No photo, no file name, no person.",
            )
    if voice is Voice.CLINICIAN:
        _offer_dicom(screening, intakes)


def _offer_dicom(screening: Screening, intakes: Sequence[Intake]) -> None:
    shown = [(number, intake) for number, intake in enumerate(intakes, start=1) if intake.refusal is None]
    if not shown:
        return
    with st.container(horizontal=True):
        for number, intake in shown:
            st.download_button(
                "Photo as DICOM" if len(intakes) == 1 else f"Photo {number} as DICOM",
                data=partial(
                    as_dicom,
                    intake.data,
                    image_type=screening.type_of(screening.photos[number - 1]),
                    metadata=screening.metadata,
                ),
                file_name=f"dermascan-{number}.dcm",
                mime="application/dicom",
                on_click="ignore",
                key=f"download_dicom_{number}",
            )
    st.caption("With age, sex and place as told, and under a made-up name. What the picture itself shows stays in it.")
