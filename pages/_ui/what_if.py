"""What if: another square, another way the photo was taken, another answer; the model answers anew, and both are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import streamlit as st

from dermascan_core.domain import Answers, CropBox, ImageType, Metadata
from dermascan_core.errors import DermaScanError
from dermascan_core.services import models
from dermascan_core.services.intake import CropShares, Intake, crop_from_shares, preview_with_crop, shares_of_crop
from dermascan_core.services.review_case import CaseAtHand, answer_again, has_pixels
from dermascan_core.services.withholding import refuse_when_stopped
from dermascan_core.triage.wording import QUESTIONS

from .model import get_predictor
from .turns import wait_for_turn

NEW_ANSWER_KEY = "review_new_answer"  # a Screening that the page is to keep
_AS_TOLD = "as_told"
_TAKEN = {ImageType.DERMOSCOPIC.value: "A dermatoscope", ImageType.CLINICAL.value: "A phone or camera"}
_TAKEN_APART = {_AS_TOLD: "Both, photo by photo as it was told", **_TAKEN}


def offer_another_answer(case: CaseAtHand) -> None:
    """Offer to change what the model was told or shown; nothing is changed of the answer that is there."""
    if not any(has_pixels(intake) for intake in case.intakes):
        return
    with st.expander(
        "Change the square, the photo's kind or an answer, and see the result move", icon=":material/tune:"
    ):
        key = case.screening.id
        taken = _TAKEN_APART if case.answer.is_mixed else _TAKEN
        chosen = st.radio(
            "What took the photo",
            list(taken),
            index=0 if case.answer.is_mixed else list(taken).index(case.answer.image_type),
            format_func=taken.__getitem__,
            horizontal=True,
            key=f"what_if_type_{key}",
        )
        image_type = None if chosen == _AS_TOLD else ImageType(chosen)
        metadata, answers = _ask_told(case, key)
        crops = tuple(
            _ask_square(intake, photo.crop, f"{key}_{number}")
            for number, (intake, photo) in enumerate(zip(case.intakes, case.answer.photos, strict=True))
        )
        if st.button("Answer again and keep both", key=f"again_{key}", icon=":material/refresh:"):
            _answer(case, image_type=image_type, metadata=metadata, answers=answers, crops=crops)


def _ask_told(case: CaseAtHand, key: str) -> tuple[Metadata, Answers]:
    told, said = case.answer.metadata, case.answer.answers
    age = st.number_input(
        "Age in years",
        min_value=0,
        max_value=120,
        value=None if told.age_approx is None else int(told.age_approx),
        key=f"what_if_age_{key}",
    )
    yes = st.multiselect(
        "Answered with yes",
        list(QUESTIONS),
        default=[name for name in QUESTIONS if getattr(said, name)],
        format_func=QUESTIONS.__getitem__,
        key=f"what_if_yes_{key}",
    )
    changes: dict[str, Any] = {name: name in yes for name in QUESTIONS if (name in yes) != bool(getattr(said, name))}
    return replace(told, age_approx=age), replace(said, **changes)


def _ask_square(intake: Intake, crop: CropBox | None, key: str) -> CropBox | None:
    if not has_pixels(intake) or intake.crop is None:
        return crop
    before = shares_of_crop(intake, crop or intake.crop)
    names = {
        "size": "Size of the square (percent)",
        "across": "From the left (percent)",
        "down": "From the top (percent)",
    }
    wanted = CropShares(
        **{
            name: st.slider(label, 10 if name == "size" else 0, 100, getattr(before, name), key=f"what_if_{name}_{key}")
            for name, label in names.items()
        }
    )
    chosen = crop if wanted == before else crop_from_shares(intake, wanted)
    with st.container(key=f"thumb-what-if-{key}"):
        st.image(preview_with_crop(intake, chosen or intake.crop), caption="This square would be looked at.")
    return chosen


def _answer(
    case: CaseAtHand,
    *,
    image_type: ImageType | None,
    metadata: Metadata,
    answers: Answers,
    crops: tuple[CropBox | None, ...],
) -> None:
    try:
        refuse_when_stopped()  # a refusal must not take the place of the answer that stands
        predictor = get_predictor(models.DEFAULT_MODEL)
        with st.status("Asking the model") as status, wait_for_turn(lambda words: status.update(label=words)):
            new = answer_again(case, predictor, image_type=image_type, metadata=metadata, answers=answers, crops=crops)
    except DermaScanError as error:
        st.error(str(error))
        return
    st.session_state[NEW_ANSWER_KEY] = new
    st.rerun()
