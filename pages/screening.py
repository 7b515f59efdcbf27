"""Screen one lesion: the overruling questions, photos, what is known about the person, then the result."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from dermascan_core.domain import Answers, ImageType, Metadata, PhotoScreening, Screening, Status
from dermascan_core.errors import DermaScanError, MetadataError
from dermascan_core.imaging.examples import EXAMPLES, Example, example_png
from dermascan_core.services import models
from dermascan_core.services.intake import take_in
from dermascan_core.services.screening import screen_lesion
from dermascan_core.triage.refusals import asks_for_retake
from dermascan_core.triage.wording import Voice
from pages._ui import case as cases
from pages._ui import explain, form, photos, result
from pages._ui.case import Case
from pages._ui.frame import failures_told, link_page, page_frame, scroll_to_top
from pages._ui.keeping import offer_keeping
from pages._ui.model import choose_model, get_predictor, shipped_evaluation
from pages._ui.turns import wait_for_turn

_SCROLL_KEY = "scroll_to_result"


def show_page() -> None:
    voice = page_frame("Check a mole or spot")
    case = cases.current_case()
    if case.screening is None or case.is_editing:
        _ask(case, voice)
    else:
        _show_result(case, voice)
    cases.keep_case(cases.current_case())


def _ask(case: Case, voice: Voice) -> None:
    st.markdown(
        "Answer a few questions, add a photo, and read what to do next. "
        "Nothing is stored on disk. You can skip any question."
    )
    place_of_undo = st.container()
    case = _offer_examples(case)
    with place_of_undo:
        _offer_undo()  # an example that was not answered has set the own case aside all the same
    form.fill_form(case)

    st.header("1. Before any photo")
    answers = form.ask_questions(case)
    form.show_overruling_step(answers, voice)

    st.header("2. The photo")
    image_type = photos.ask_image_type()
    photos.ask_photos(case, image_type)
    if case.example_title:
        _show_example_mark(case)
    photos.show_given_up(case, answers, voice)
    photos.show_photos(case)

    st.header("3. About the person")
    st.caption("All optional. Age, sex and place make the answer better; the rest feeds the advice.")
    form.ask_metadata()
    with st.expander("Imaging steps to try (optional)", icon=":material/tune:"):
        explain.ask_steps()
    model_name = choose_model(voice, key="screening_model")
    form.remember_form(case)
    form.show_contradictions(answers)

    if st.button("Check this spot", type="primary", width="stretch", key="check", icon=":material/search:"):
        _check(case, answers, photos.types_of(case, image_type), model_name)
    if not case.is_empty:
        st.button("Start over and delete all of this", on_click=cases.start_over, key="start_over", type="tertiary")


def _offer_undo() -> None:
    if cases.can_undo():
        st.button("Undo: bring your photo and answers back", on_click=cases.undo_start_over, key="undo")


def _offer_examples(case: Case) -> Case:
    with st.expander("Just looking? Try a generated picture", icon=":material/science:", expanded=case.is_empty):
        st.caption("Drawn by this program. It shows nobody's skin, and its answer means nothing for yours.")
        with st.container(horizontal=True):
            for example in EXAMPLES:
                if st.button(_short_title(example), key=f"example_{example.key}"):
                    case = cases.make_room_for_example()
                    _use_example(case, example)
    return case


def _short_title(example: Example) -> str:
    return example.title.partition(" (")[0]


def _use_example(case: Case, example: Example) -> None:
    case.form = form.form_of(example.metadata, example.answers, example.image_type.value)
    case.is_form_replaced = True
    form.fill_form(case)
    case.photos = [take_in(f"{example.key}.png", example_png(example.key))]
    case.example_title = example.title
    _check(case, example.answers, [example.image_type], models.DEFAULT_MODEL)


def _show_example_mark(case: Case) -> None:
    st.info(f"{case.example_title}. Its answer means nothing for anyone's skin.", icon=":material/science:")


def _check(case: Case, answers: Answers, types: Sequence[ImageType | None], model_name: str) -> None:
    if not case.photos:
        st.error("Add a photo of the spot first (part 2).")
        return
    known = [one for one in types if one is not None]
    if len(known) < len(types):
        st.error("Say what took the photo first (part 2): a phone, or a dermatoscope.")
        return
    try:
        metadata = form.read_metadata(case.form)
    except MetadataError as error:
        st.error(f"{error} You find it in part 3.")
        return
    try:
        _screen(case, answers, known, metadata, model_name)
    except DermaScanError as error:
        st.error(str(error))
        return
    case.is_editing = False
    cases.keep_case(case)
    st.session_state[_SCROLL_KEY] = True
    st.rerun()


def _screen(case: Case, answers: Answers, types: Sequence[ImageType], metadata: Metadata, model_name: str) -> None:
    with st.status("Getting the model ready", expanded=True) as status:
        bar = st.progress(0.0)

        def on_stage(sentence: str, share: float) -> None:
            status.update(label=sentence)
            bar.progress(share, text=sentence)

        predictor = get_predictor(model_name)
        steps = tuple(case.form.get(form.STEPS_KEY, ()))
        photos_now = tuple(case.photos)
        crops = [case.hand_crops.get(photo.sha256) for photo in photos_now]
        refused_before = case.refused - {photo.sha256 for photo in photos_now}

        def screen(used: tuple[str, ...]) -> Screening:
            return screen_lesion(
                [(photo.name, photo.source) for photo in photos_now],
                metadata=metadata,
                answers=answers,
                image_type=types[0],
                image_types=types,
                predictor=predictor,
                crops=crops,
                steps=used,
                explain=not used,
                repeat=not used,
                n_refused_before=len(refused_before),
                on_stage=on_stage,
            )

        with wait_for_turn(lambda words: status.update(label=words)):
            screening, with_steps = screen(()), screen(steps) if steps else None
        case.refused |= {
            intake.sha256 for intake, photo in zip(photos_now, screening.photos, strict=True) if _is_refused(photo)
        }
        case.screening, case.screening_with_steps = screening, with_steps
        case.screened_photos, case.screened_by = photos_now, predictor.manifest
        status.update(label="Done", state="complete")


def _is_refused(photo: PhotoScreening) -> bool:
    return photo.status is Status.REFUSED and photo.reason is not None and asks_for_retake(photo.reason)


def _show_result(case: Case, voice: Voice) -> None:
    screening, manifest = case.screening, case.screened_by
    if screening is None or manifest is None:
        return
    if st.session_state.pop(_SCROLL_KEY, False):
        scroll_to_top()
    if case.example_title:
        _show_example_mark(case)
        _offer_undo()
    result.show_next_step(screening, voice)
    result.show_agreement(screening, voice)
    by_urgency = sorted(range(len(screening.photos)), key=lambda i: -screening.photos[i].next_step.urgency)
    for index in by_urgency:
        result.show_photo_result(screening, index, intake=case.screened_photos[index], manifest=manifest, voice=voice)
    if case.screening_with_steps is not None:
        steps = tuple(case.form.get(form.STEPS_KEY, ()))
        explain.show_steps_effect(screening, case.screening_with_steps, steps, voice)
    result.show_limits(screening, manifest, shipped_evaluation(manifest.name), voice)
    with st.expander("What you told", icon=":material/list:"):
        told = form.describe_form(screening.metadata, screening.answers)
        st.markdown("\n".join(f"- {line}" for line in told) or "Nothing.")
    result.offer_downloads(screening, manifest, case.screened_photos, voice)
    offer_keeping(case)
    with st.container(horizontal=True):
        if st.button("Change photos or answers", key="change", icon=":material/edit:"):
            case.is_editing = True
            st.rerun()
        st.button("Start over and delete all of this", on_click=cases.start_over, key="start_over")
    link_page("pages/know_your_skin.py", "Signs to watch, and how to take a good photo", icon=":material/visibility:")


with failures_told("screening"):
    show_page()
