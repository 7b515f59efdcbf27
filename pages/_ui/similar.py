"""Similar labelled photos beside an answer: what the archive says of photos like this one, and how far that can be trusted."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import streamlit as st

from dermascan_core.domain import Neighbour, PhotoScreening, Screening, Status
from dermascan_core.errors import DermaScanError
from dermascan_core.model.manifest import Manifest
from dermascan_core.services.labelled_photos import small_photos
from dermascan_core.services.similar_cases import SimilarPhotos, describe_similar, why_none
from dermascan_core.taxonomy import HAM_MALIGNANT
from dermascan_core.triage.rules import UNTESTED_SKIN_TYPES
from dermascan_core.triage.similar_wording import (
    DARK_SKIN_NOT_HERE,
    NEVER_CALMER,
    SIMILAR_CAPTION,
    count_words,
    disagreement_words,
    nearest_right_words,
    similarity_words,
    weak_evidence,
)
from dermascan_core.triage.wording import Voice, class_name

from . import charts
from .frame import as_plain_text, failures_told
from .local import is_local_visit

_FOLDER_KEY = "similar_photos_folder"
_CARD_PX = 155  # two beside each other on a narrow phone


@st.fragment
@failures_told("similar photos")
def show_similar(screening: Screening, index: int, *, manifest: Manifest, voice: Voice) -> None:
    """Show the labelled photos that the network finds most like one photo of a screening; one sentence where none."""
    photo = screening.photos[index]
    if photo.prediction is None:
        return
    st.markdown("**Similar labelled photos**")
    similar = describe_similar(photo, manifest, screening.image_type)
    if similar is None:
        st.caption(as_plain_text(why_none(manifest, screening.image_type), max_chars=600))
        return
    st.markdown(SIMILAR_CAPTION)
    is_dark = screening.metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES
    _show_what_they_say(similar, is_dark=is_dark)
    _show_cards(similar, _own_copies(similar, index), index, voice)
    _show_mix(photo, similar, index, voice)
    _show_trust(similar, is_dark=is_dark)


def _show_what_they_say(similar: SimilarPhotos, *, is_dark: bool) -> None:
    if is_dark:
        st.warning(DARK_SKIN_NOT_HERE, icon=":material/warning:")
    if weak := weak_evidence(similar.neighbours[0].similarity, similar.usual):
        st.warning(weak, icon=":material/help:")
    st.markdown(f"{count_words(similar.n_malignant, len(similar.neighbours))} {NEVER_CALMER}")
    words = disagreement_words(points_up=similar.points_up, points_down=similar.points_down)
    if words:
        (st.warning if similar.points_up else st.info)(words, icon=":material/compare_arrows:")


def _own_copies(similar: SimilarPhotos, index: int) -> dict[str, npt.NDArray[np.uint8]]:
    """Return the photos themselves where the person at this machine has them and names their folder."""
    if not is_local_visit():
        return {}
    with st.expander("See these photos, if the archive lies on this machine", icon=":material/folder_open:"):
        folder = st.text_input(
            "Folder of the archive's photos",
            value=st.session_state.get(_FOLDER_KEY, os.environ.get("DERMASCAN_DATA", "")),
            placeholder="ham10000/images",
            key=f"similar_folder_{index}",
            help="The photos do not ship with this program. Nothing is copied or kept.",
        ).strip()
        st.session_state[_FOLDER_KEY] = folder
        if not folder:
            return {}
        try:
            return small_photos(Path(folder).expanduser(), [one.image_id for one in similar.neighbours])
        except DermaScanError as error:
            st.error(as_plain_text(str(error), max_chars=600))
    return {}


def _show_cards(similar: SimilarPhotos, pictures: dict[str, npt.NDArray[np.uint8]], index: int, voice: Voice) -> None:
    with st.container(horizontal=True, key=f"similar-{index}"):
        for place, one in enumerate(similar.neighbours, start=1):
            with st.container(border=True, width=_CARD_PX, key=f"thumb-similar-{index}-{place}"):
                if one.image_id in pictures:
                    st.image(pictures[one.image_id], width="stretch")
                st.markdown(f"{place}\\. **{class_name(one.dx, voice)}**")  # escaped, or it would be an indented list
                st.caption(_card_words(one, similar))


def _card_words(one: Neighbour, similar: SimilarPhotos) -> str:
    mark = "Cancer or pre-cancer. " if one.dx in HAM_MALIGNANT else ""
    alike = similarity_words(one.similarity, similar.usual)
    return f"{mark}{alike[0].upper()}{alike[1:]}: {one.similarity:.2f} of 1. {as_plain_text(one.image_id)}"


def _show_mix(photo: PhotoScreening, similar: SimilarPhotos, index: int, voice: Voice) -> None:
    if photo.prediction is None:
        return
    st.plotly_chart(
        charts.label_mix_chart(
            photo.prediction, similar.label_mix, voice=voice, is_greyed=photo.status is Status.UNSURE
        ),
        key=f"similar_mix_{index}",
        config=charts.CONFIG,
        alt="Share of each class as the network says, beside its share among the similar photos",
    )
    st.caption("Both are shares among archive photos, not your chance of cancer.")


def _show_trust(similar: SimilarPhotos, *, is_dark: bool) -> None:
    words = nearest_right_words(similar.measured, similar.measured_on) if similar.measured and not is_dark else None
    if words:
        st.markdown(words)
    if similar.n_labelled:
        about = [similar.source, similar.attribution, similar.licence]
        told = "; ".join(as_plain_text(text, max_chars=300) for text in about if text)
        st.caption(
            f"Compared with {similar.n_labelled:,} labelled photos; of each spot one is shown. The photos do not ship with this "
            f"program; look them up by their name in their archive (those that begin with ISIC: isic-archive.com). {told}"
        )
