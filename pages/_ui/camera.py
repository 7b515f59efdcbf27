"""The live camera: a frame, hints before the shot, and the photo as bytes. A component without a build step.

Its parts lie in ``live_camera/``; it is asked for words and limits here and judges nothing by itself. The photo then goes
the way of an upload.
"""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.components.v2 import component

from dermascan_core.domain import ImageType
from dermascan_core.imaging.live import HINTS, LIMITS, READY
from dermascan_core.triage.technique import at_the_camera

MAX_SHOT_BYTES = 20 * 2**20
_FOLDER = Path(__file__).parent / "live_camera"
_PICK = "Choose a photo with the file picker above instead: on a phone it opens the phone's own camera."
WORDS: dict[str, str] = {
    "label": "Live camera",
    "framing": "Fill the ring with the spot and a little skin around it.",
    "keys": "Keys: space takes the photo, R takes it again.",
    "take": "Take the photo",
    "use": "Use this photo",
    "retake": "Take it again",
    "another": "Take another photo",
    "again": "Try the camera again",
    "torch": "Torch",
    "zoom": "Zoom",
    "ready": READY,
    "starting": "Starting the camera. Your browser may ask whether this page may use it.",
    "taking": "Hold still.",
    "taken": "Is the spot sharp, and skin visible all around it? If not, take it again.",
    "shot": "The photo just taken",
    "sent": "The photo was taken over. Its check stands below.",
    "refused": f"The browser does not let this page use the camera. {_PICK}",
    "no_camera": f"No camera was found. {_PICK}",
    "busy": f"The camera is in use by another program. Close that program and try again. {_PICK}",
    "lost": f"The camera stopped. {_PICK}",
}


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_mount = component(
    "dermascan_live_camera",
    html=_read("camera.html"),
    css=_read("camera.css"),
    js="".join(_read(name) for name in ("planes.js", "spot.js", "measures.js", "camera.js")),
)


def take_live_photo(*, key: str) -> bytes | None:
    """Show the camera; return the photo, in the one run after the person chose to use it, else None.

    The bytes are a JPEG of at most 20 MB, at the camera's full resolution where the browser gives it.
    """
    result = _mount(
        key=key,
        data={"words": WORDS, "hints": HINTS, "limits": LIMITS, "max_size_bytes": MAX_SHOT_BYTES},
        on_photo_change=_keep_nothing,
    )
    return read_shot(result.get("photo"))


def _keep_nothing() -> None:
    """A trigger needs a callback to be known by; its value is read once and kept nowhere."""


def read_shot(sent: Any) -> bytes | None:
    r"""Return the bytes that the browser sent as base64; None where that is no photo of the allowed size.

    >>> read_shot("/9j/"), read_shot(None), read_shot("no photo!")
    (b'\xff\xd8\xff', None, None)
    """
    if not isinstance(sent, str) or not sent or len(sent) > MAX_SHOT_BYTES * 4 // 3 + 4:
        return None
    try:
        return base64.b64decode(sent, validate=True)
    except binascii.Error:
        return None


def offer_live_photo(image_type: ImageType | None, *, key: str) -> bytes | None:
    """Show the camera behind a switch, so that no browser asks for it before the person does.

    Args:
        image_type: What takes the photo, for the checklist beside the camera; None while that is not known.
        key: Of the camera.
    """
    if not st.toggle("Use this device's camera here", key="use_camera"):
        return None
    st.markdown(" · ".join(line.rstrip(".") for line in at_the_camera(image_type)))
    return take_live_photo(key=key)
