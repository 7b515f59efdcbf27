"""Photos in: file picker or camera, then each photo's preview, quality and square, adjustable by hand."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dermascan_core.domain import Answers, CropBox, ImageType, Metadata
from dermascan_core.imaging.decode import MAX_SIZE_BYTES
from dermascan_core.services.intake import (
    CropShares,
    Intake,
    crop_from_shares,
    preview_with_crop,
    shares_of_crop,
    take_in,
)
from dermascan_core.triage.refusals import asks_for_retake, given_up_words, retake_words
from dermascan_core.triage.technique import MACRO_LENS, with_that_lens
from dermascan_core.triage.wording import Voice

from . import camera, size
from .case import MAX_PHOTOS, Case, forget_deleted
from .form import IMAGE_TYPE_KEY, describe_form, fill_told
from .frame import as_plain_text

PHOTO_TYPES = ("jpg", "jpeg", "png", "webp", "heic", "heif", "tif", "tiff", "bmp", "gif")
_IMAGE_TYPES = {
    ImageType.CLINICAL.value: "A phone or an ordinary camera",
    ImageType.DERMOSCOPIC.value: "A dermatoscope (a skin microscope, also one clipped to a phone)",
}
_AS_ABOVE = "as_above"
_OWN_TYPES = {  # short, for a narrow phone shows no more of a chosen one
    _AS_ABOVE: "As answered above",
    ImageType.CLINICAL.value: "A phone or an ordinary camera",
    ImageType.DERMOSCOPIC.value: "A dermatoscope",
}
_MIN_SHARE = 20


def ask_image_type(*, key: str = IMAGE_TYPE_KEY) -> ImageType | None:
    """Ask what took the photo, and say how to use it; None until it is answered."""
    chosen = st.radio(
        "What took the photo?",
        list(_IMAGE_TYPES),
        index=None,
        format_func=_IMAGE_TYPES.__getitem__,
        key=key,
    )
    if chosen is None:
        return None
    image_type = ImageType(chosen)
    st.caption(" · ".join(line.rstrip(".") for line in with_that_lens(image_type)))
    if image_type is ImageType.CLINICAL:
        st.caption(" · ".join(line.rstrip(".") for line in MACRO_LENS))
    return image_type


def types_of(case: Case, image_type: ImageType | None) -> list[ImageType | None]:
    """Return what took each photo, by what was said of it alone, else of all; None where neither was."""
    return [case.photo_types.get(photo.sha256, image_type) for photo in case.photos]


def ask_photos(case: Case, image_type: ImageType | None) -> None:
    """Take photos in through the file picker or the camera; each is read once, then the picker is emptied.

    Args:
        case: That they are added to.
        image_type: What takes them; None while that is not known.
    """
    n_free = MAX_PHOTOS - len(case.photos)
    if n_free <= 0:
        st.info(f"{MAX_PHOTOS} photos of one spot are enough. Remove one to add another.")
        return
    uploads = st.file_uploader(
        _upload_label(case),
        type=[*PHOTO_TYPES, "dcm"],
        accept_multiple_files=True,
        max_upload_size=MAX_SIZE_BYTES // 2**20,
        key=f"photos_{case.n_uploads}",
        help="On a phone this also opens the camera. Several photos of the same spot make the answer steadier. "
        "Of a DICOM file (.dcm) the picture is used, and its age, sex and place where you left them open.",
    )
    received = [(upload.name, upload.getvalue()) for upload in uploads]
    shot = None
    if is_camera_allowed(st.context.url):
        shot = camera.offer_live_photo(image_type, key="live_camera")
    if shot is not None:
        received.append(("camera.jpg", shot))
    if received:
        _add_photos(case, received, n_free=n_free)
        _forget_uploads([upload.file_id for upload in uploads])
        st.rerun()


def _upload_label(case: Case) -> str:
    if case.is_given_up:
        return "Another photo, only if you want to (optional)"
    return "Another photo of the same spot (optional)" if case.photos else "Photo of the spot"


def _forget_uploads(file_ids: list[str]) -> None:
    """Drop Streamlit's own copies: it would hold each original until the session ends, deleted by its person or not."""
    context = get_script_run_ctx()
    remove = getattr(context.uploaded_file_mgr, "remove_file", None) if context is not None else None
    if context is None or remove is None:
        return
    for file_id in file_ids:
        remove(session_id=context.session_id, file_id=file_id)


def _add_photos(case: Case, pictures: list[tuple[str, bytes]], *, n_free: int) -> None:
    known = {photo.sha256 for photo in case.photos}
    unique = {hashlib.sha256(data).hexdigest(): (name, data) for name, data in reversed(pictures)}
    new = [picture for sha256, picture in reversed(unique.items()) if sha256 not in known]
    with st.spinner("Looking at the photo"):
        taken_in = [take_in(name, data) for name, data in new[:n_free]]
    if case.example_title:
        # A person's own photo must never be judged with the made-up age and answers of an example.
        case.photos, case.example_title, case.form, case.is_form_replaced = [], "", {}, True
        case.refused = set()
    for photo in taken_in:
        fill_told(case, photo.told)
        _take_told_type(case, photo)
    case.photos += taken_in
    case.refused |= {photo.sha256 for photo in taken_in if (reason := photo.refused_for) and asks_for_retake(reason)}
    if len(new) > n_free:
        st.toast(f"Only {MAX_PHOTOS} photos of one spot are used. The others were left out.")
    case.n_uploads += 1
    forget_deleted()


def _take_told_type(case: Case, photo: Intake) -> None:
    """Let a DICOM file say what took it, of itself alone: of other photos it knows nothing.

    Where the person said it of all photos before, that stays, unless the file says phone or camera, of which less is known.
    """
    told = photo.told_image_type
    is_open = IMAGE_TYPE_KEY not in case.form and st.session_state.get(IMAGE_TYPE_KEY) is None
    if told is not None and (is_open or told is ImageType.CLINICAL):
        case.photo_types.setdefault(photo.sha256, told)


def is_camera_allowed(url: str | None) -> bool:
    """Whether a browser gives this page the camera: only over https, or on the machine itself.

    >>> is_camera_allowed("http://192.168.1.5:8501/"), is_camera_allowed("http://localhost:8501/")
    (False, True)
    """
    parts = urlsplit(url or "")
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")


def show_photos(case: Case) -> None:
    """Show each photo with its quality and its square, and let a person move the square or remove the photo.

    Of several photos, each may have been taken in its own way.
    """
    if len(case.photos) > 1:
        st.caption("A phone photo and a dermatoscope photo of this spot? Say below each photo what took it.")
    for index, photo in enumerate(list(case.photos)):
        with st.container(border=True, key=f"photo-{index}-{photo.sha256[:8]}"):
            _show_photo(case, photo, index)
            if len(case.photos) > 1 or photo.sha256 in case.photo_types:
                _ask_own_type(case, photo)


def _ask_own_type(case: Case, photo: Intake) -> None:
    key = f"taken_by_{photo.sha256[:12]}"
    st.session_state.setdefault(key, str(case.photo_types.get(photo.sha256, _AS_ABOVE)))
    chosen = st.selectbox("What took this photo?", list(_OWN_TYPES), format_func=_OWN_TYPES.__getitem__, key=key)
    if chosen == _AS_ABOVE:
        case.photo_types.pop(photo.sha256, None)
    else:
        case.photo_types[photo.sha256] = ImageType(chosen)


def _show_photo(case: Case, photo: Intake, index: int) -> None:
    if photo.crop is None or photo.quality is None:
        st.markdown(f"**{as_plain_text(photo.name)}**")
        st.error(_refusal_words(case, photo))
        _offer_removal(case, photo, index)
        return
    crop = case.hand_crops.get(photo.sha256, photo.crop)
    picture, notes = st.columns([2, 3])
    with notes:
        st.markdown(f"**{as_plain_text(photo.name)}**")
        if photo.quality.failures:
            st.error(_refusal_words(case, photo))
        else:
            for warning in photo.quality.warnings:
                st.warning(warning.sentence)
        if not photo.quality.failures and not photo.quality.warnings:
            st.markdown(":material/check: Sharp and bright enough to be judged.")
        _show_told(photo)
        with st.expander("Move the square by hand", icon=":material/crop:"):
            crop = _ask_crop(case, photo, crop)
        _offer_removal(case, photo, index)
    with picture:
        st.image(preview_with_crop(photo, crop), caption=_crop_caption(crop), width="stretch")
    if photo.refused_for is None:
        size.offer_size(case, photo)


def _show_told(photo: Intake) -> None:
    """Say what a DICOM file tells, so that another person's age is not taken over unseen."""
    lines = describe_form(photo.told, Answers())
    if photo.told_image_type is not None:
        lines.append(f"Taken with: {photo.told_image_type}")
    if lines:
        listed = ". ".join(lines)
        st.caption(
            f"The DICOM file says: {listed}. Used where you had not answered; correct it in the form if it is wrong."
        )


def _refusal_words(case: Case, photo: Intake) -> str:
    if photo.refused_for is None:
        return "This photo cannot be used."
    closing = "This photo gets no class." if case.is_given_up else "Without a better photo no class is shown."
    return retake_words(photo.refused_for, closing=closing, is_given_up=case.is_given_up)


def show_given_up(case: Case, answers: Answers, voice: Voice) -> None:
    """Say what to do instead of a third photo, where the photos so far were refused."""
    if case.is_given_up:
        st.warning(given_up_words(answers, Metadata(), voice), icon=":material/stethoscope:")


def _crop_caption(crop: CropBox) -> str:
    return {
        "lesion": "The network sees the square, found around the spot.",
        "hand": "The network sees the square, set by hand.",
    }.get(crop.source, "No spot stood out, so the network sees the middle. Move the square onto the spot.")


def _ask_crop(case: Case, photo: Intake, crop: CropBox) -> CropBox:
    now = shares_of_crop(photo, crop)
    keys = {name: f"crop_{name}_{photo.sha256[:12]}" for name in ("size", "across", "down")}
    for name, key in keys.items():
        low = _MIN_SHARE if name == "size" else 0
        st.session_state.setdefault(key, min(max(getattr(now, name), low), 100))
    size = st.slider("Size (percent)", _MIN_SHARE, 100, key=keys["size"])
    across = st.slider("Left to right (percent)", 0, 100, key=keys["across"])
    down = st.slider("Top to bottom (percent)", 0, 100, key=keys["down"])
    chosen = CropShares(size, across, down)
    if chosen != shares_of_crop(photo, crop) and chosen.size >= _MIN_SHARE:
        crop = case.hand_crops[photo.sha256] = crop_from_shares(photo, chosen)
    if crop.source == "hand":
        st.button("Back to the automatic square", key=f"auto_{photo.sha256[:12]}", on_click=_reset, args=(case, photo))
    return crop


def _reset(case: Case, photo: Intake) -> None:
    case.hand_crops.pop(photo.sha256, None)
    for name in ("size", "across", "down"):
        st.session_state.pop(f"crop_{name}_{photo.sha256[:12]}", None)


def _offer_removal(case: Case, photo: Intake, index: int) -> None:
    if st.button("Remove this photo", key=f"remove_{index}", icon=":material/delete:", type="tertiary"):
        case.photos.remove(photo)
        if case.example_title:
            case.example_title, case.form, case.is_form_replaced = "", {}, True
        st.rerun()
