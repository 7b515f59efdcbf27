"""What is said of skin in a photo: how it looks, never what it is; how many were tested, and a warning where few were."""

from dermascan_core.imaging.skin_tone import BANDS
from dermascan_core.triage.skin_tone_words import (
    CHANGES_NOTHING,
    DARK_BANDS,
    alike_words,
    answered_words,
    hardly_tested_words,
    looks_words,
)


def test_look_is_of_the_photo_and_names_its_doubt() -> None:
    assert looks_words("tan", ("intermediate", "tan", "brown")) == (
        "The skin around the spot looks tan in this photo (with the doubt of its light: intermediate to brown)."
    )
    assert looks_words("tan", ("tan",)) == "The skin around the spot looks tan in this photo."


def test_none_tested_is_said_as_none() -> None:
    assert alike_words(0, 0, of="look so") == "Of the test photos, none look so."
    assert hardly_tested_words(0, 0).startswith("Hardly tested on such photos (none): the bars may be far off.")


def test_warning_sends_to_a_doctor() -> None:
    assert hardly_tested_words(3, 0).endswith("Show the spot to a doctor.")


def test_every_type_has_its_numeral() -> None:
    assert [answered_words(i)[-3:-1].strip() for i in (1, 5, 6)] == ["I", "V", "VI"]


def test_dark_bands_are_bands() -> None:
    assert set(DARK_BANDS) < set(BANDS)
    assert "neither the bars nor the advice" in CHANGES_NOTHING
