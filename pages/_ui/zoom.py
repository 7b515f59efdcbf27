"""A photo at its full resolution, to look at closely: wheel, fingers, mouse or keys."""

from __future__ import annotations

import base64
from pathlib import Path

from streamlit.components.v2 import component

_FOLDER = Path(__file__).parent / "zoom_view"


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


_mount = component("dermascan_zoom", html=_read("zoom.html"), css=_read("zoom.css"), js=_read("zoom.js"))


def show_zoomable(jpeg: bytes, *, name: str, words: str) -> None:
    """Show a photo that can be looked at pixel by pixel; nothing goes back to the server.

    Args:
        jpeg: The upright photo, without tags.
        name: Of the photo: while it stays the same, a rerun of the page leaves the view where it is.
        words: What the photo is, for whoever does not see it.
    """
    _mount(
        key=f"zoom_{name}",
        data={
            "jpeg": base64.b64encode(jpeg).decode(),
            "name": name,
            "words": {
                "photo": words,
                "fit": "Whole photo",
                "closer": "Closer",
                "further": "Further away",
                "help": "Wheel, two fingers or + and - to zoom; drag or arrow keys to move; 100 % is one pixel a pixel.",
            },
        },
    )
