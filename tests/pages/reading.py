"""What a person sees and reaches on a page under ``AppTest``."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import ButtonGroup

from pages._ui.frame import VOICE_LABEL


def voice_switch(page: AppTest) -> ButtonGroup[str]:
    """The switch between plain words and the clinicians' words."""
    return next(control for control in page.segmented_control if control.label == VOICE_LABEL)


def seen(page: AppTest) -> str:
    """All that can be read on the page, bars included."""
    kinds = (page.title, page.header, page.subheader, page.markdown, page.caption, page.error, page.warning, page.info)
    texts = [element.value for kind in kinds for element in kind]
    return "\n".join([*texts, *(bar.text for bar in page.get("progress"))])
