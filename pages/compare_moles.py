"""Compare your moles: photos of one person's moles in, the odd one out first, none of the others cleared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.errors import DermaScanError, WeightsError
from dermascan_core.imaging.decode import MAX_SIZE_BYTES
from dermascan_core.services.mole_comparison import MAX_MOLES, MIN_MOLES, MoleComparison, compare_moles, comparison_csv
from dermascan_core.services.performance import load_ugly_duckling
from dermascan_core.triage.wording import Voice, phone_words
from pages._ui import measured_moles, moles
from pages._ui.frame import Width, as_plain_text, failures_told, link_page, page_frame
from pages._ui.model import choose_model, get_predictor
from pages._ui.photos import PHOTO_TYPES, ask_image_type
from pages._ui.turns import wait_for_turn

_COMPARED_KEY = "compared_moles"
_SEXES = {"female": "Female", "male": "Male"}


def show_page() -> None:
    voice = page_frame("Compare your moles", width=Width.TABLE)
    st.markdown(
        f"Moles of one person tend to look alike; the one that does not, the *ugly duckling*, should be shown first. Add "
        f"{MIN_MOLES} to {MAX_MOLES} photos, each of another mole of the same person, all taken in the same way. "
        "Nothing is stored on disk."
    )
    uploads = st.file_uploader(
        f"Photos, one a mole ({MIN_MOLES} to {MAX_MOLES})",
        type=list(PHOTO_TYPES),
        accept_multiple_files=True,
        max_upload_size=MAX_SIZE_BYTES // 2**20,
        key="mole_photos",
    )
    image_type = ask_image_type(key="mole_image_type_choice")
    metadata = _ask_person()
    model_name = choose_model(voice, key="mole_model")
    if st.button("Compare these moles", type="primary", key="compare", icon=":material/compare:"):
        st.session_state.pop(_COMPARED_KEY, None)  # an old ranking under a new failure would be taken for the new one
        _compare([(upload.name, upload.getvalue()) for upload in uploads], image_type, metadata, model_name)
    compared: _Compared | None = st.session_state.get(_COMPARED_KEY)
    if compared is None:
        _show_empty_state()
    elif uploads and _names(uploads) != compared.uploads:
        st.info("The photos above changed since the last comparison. Compare them again.", icon=":material/compare:")
        _offer_deletion()
    else:
        _show(compared, voice)
        _offer_deletion()


@dataclass(frozen=True, slots=True)
class _Compared:
    """A comparison and what it was made from.

    Attributes:
        comparison: The moles.
        uploads: Name and size of each photo, as uploaded.
        model_name: That answered.
        codes: Its classes, for the table to download.
    """

    comparison: MoleComparison
    uploads: tuple[tuple[str, int], ...]
    model_name: str
    codes: tuple[str, ...]


def _names(uploads: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    return tuple((upload.name, upload.size) for upload in uploads)


def _ask_person() -> Metadata:
    with st.expander("About the person (optional)", icon=":material/person:"):
        age = st.number_input("Age in years", 0, 120, value=None, key="mole_age", placeholder="unknown")
        sex = st.selectbox(
            "Sex", list(_SEXES), index=None, format_func=_SEXES.__getitem__, key="mole_sex", placeholder="unknown"
        )
    return Metadata(age_approx=None if age is None else float(age), sex=sex)


def _compare(
    pictures: Sequence[tuple[str, bytes]], image_type: ImageType | None, metadata: Metadata, model_name: str
) -> None:
    if not pictures or image_type is None:
        st.error("Add photos and say what took them, then compare them.")
        return
    bar = st.progress(0.0, text="Getting the model ready")

    def show_progress(done: int, total: int) -> None:
        bar.progress(done / total, text=f"{done} of {total} photos")

    try:
        predictor = get_predictor(model_name)
        with wait_for_turn(lambda words: bar.progress(0.0, text=words)):
            comparison = compare_moles(
                pictures,
                image_type=image_type,
                predictor=predictor,
                metadata=metadata,
                on_progress=show_progress,
            )
    except DermaScanError as error:
        st.error(str(error))
        return
    finally:
        bar.empty()
    st.session_state[_COMPARED_KEY] = _Compared(
        comparison=comparison,
        uploads=tuple((name, len(data)) for name, data in pictures),
        model_name=model_name,
        codes=predictor.manifest.codes,
    )


def _show(compared: _Compared, voice: Voice) -> None:
    comparison = compared.comparison
    if comparison.n_doubled:
        st.info(f"Left out, as the very same photo came twice: {comparison.n_doubled}.", icon=":material/content_copy:")
    if comparison.image_type is ImageType.CLINICAL:
        phone_test = get_predictor(compared.model_name).manifest.phone_test
        st.warning(phone_words(phone_test), icon=":material/smartphone:")
    moles.show_not_judged(comparison)
    if not comparison.judged:
        moles.show_not_compared(comparison, voice)
    else:
        moles.show_odd_one(comparison, voice)
        moles.show_all(comparison, voice)
        moles.show_traits(comparison, voice)
    st.download_button(
        "Download this comparison (CSV)",
        data=lambda: comparison_csv(comparison, compared.codes),
        file_name="dermascan-moles.csv",
        mime="text/csv",
        on_click="ignore",
        key="download_moles",
        icon=":material/download:",
    )
    measured_moles.show_in_short(_measured(compared.model_name))
    link_page("pages/performance.py", "How it was measured", icon=":material/monitoring:")
    first = comparison.moles[0].screening
    st.caption(
        f"Model {as_plain_text(first.model)}, engine {first.engine}, weights {first.model_sha256[:12]}, "
        f"program {as_plain_text(first.app_version)}"
    )


def _measured(model_name: str) -> dict[str, Any] | None:
    """What was measured of the model; None also where the file is of other weights, which Model performance tells in full."""
    try:
        return load_ugly_duckling(model_name)
    except WeightsError:
        return None


def _offer_deletion() -> None:
    st.button("Delete this comparison", key="delete_moles", icon=":material/delete:", on_click=_delete)


def _delete() -> None:
    st.session_state.pop(_COMPARED_KEY, None)


def _show_empty_state() -> None:
    st.info(
        f"Nothing compared yet. Add at least {MIN_MOLES} photos above. The more moles, the better the odd one shows; "
        "one photo a mole, from the same distance, in the same light.",
        icon=":material/inbox:",
    )


with failures_told("compare_moles"):
    show_page()
