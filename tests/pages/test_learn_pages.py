"""What Know your skin and About must say: signs, photo advice and when to go; consent, ethics and privacy."""

import pytest

from dermascan_core.triage.technique import DERMATOSCOPE, GROUPS, MACRO_LENS
from dermascan_core.triage.wording import SEVEN_POINT_LIST, Voice
from tests.pages.acting import OpenPage
from tests.pages.reading import seen, voice_switch


def test_know_your_skin_says_when_to_go_to_a_doctor(open_page: OpenPage) -> None:
    page = open_page("know_your_skin")

    assert "When to go to a doctor" in [header.value for header in page.header]
    [when] = [block.value for block in page.markdown if "**Within 2 weeks:**" in block.value]
    lines = [line for line in when.splitlines() if line.startswith("- ")]
    assert [line.partition(":**")[0] for line in lines] == [
        "- **Today, at an emergency room",
        "- **Within 2 weeks",
        "- **Soon",
        "- **Any time",
    ]
    for sign in (
        "bleeding that does not stop after ten minutes of firm pressure",
        "three points or more on the 7-point list",
        "a new spot that grows and bleeds",
        "spot under a nail that is new or gets wider",
        "a sore that has not healed after four weeks",
        "a spot unlike your others",
        "you are worried. Worry is reason enough.",
    ):
        assert sign in when


def test_know_your_skin_names_every_sign(open_page: OpenPage) -> None:
    page = open_page("know_your_skin")

    text = seen(page)
    assert {"A, B, C, D, E", "E, F, G", "The 7-point list", "The ugly duckling"} <= {
        subheader.value for subheader in page.subheader
    }
    for letter in ("A, asymmetry", "B, border", "C, colour", "D, diameter", "E, evolving", "E, elevated", "F, firm"):
        assert f"- **{letter}.** " in text
    assert "- **G, growing.** It has grown for more than a month." in text
    assert len(SEVEN_POINT_LIST) == 7
    assert all(f"- {sign}" in text for sign in SEVEN_POINT_LIST)
    assert "The first three count double. Three points or more: see a doctor within 2 weeks." in text
    assert "The one that looks different from all the others is the one to show" in text
    assert "On brown and black skin, melanoma is found more often on palms, soles and under nails." in text


def test_know_your_skin_tells_clinicians_the_weights_of_the_seven_points(open_page: OpenPage) -> None:
    page = open_page("know_your_skin")

    voice_switch(page).set_value(Voice.CLINICIAN.value).run()

    [weights] = [caption.value for caption in page.caption if caption.value.startswith("Weighted (NG12)")]
    assert "count 2 each" in weights
    assert weights.endswith("Refer at 3 or more, or on strong concern.")


def test_know_your_skin_gives_every_line_of_the_photo_advice(open_page: OpenPage) -> None:
    page = open_page("know_your_skin")

    assert "How to take a good photo" in [header.value for header in page.header]
    text = seen(page)
    assert len(GROUPS) == 10
    for group in GROUPS:
        assert f"**{group.name}**\n" + "\n".join(f"- {line}" for line in group.advice) in text
    assert all(f"- {line}" in text for line in DERMATOSCOPE + MACRO_LENS)
    assert [button.label for button in page.get("download_button")] == ["Checklist to print"]


def test_about_states_consent_and_ethics(open_page: OpenPage) -> None:
    page = open_page("about")

    assert "Consent and ethics" in [header.value for header in page.header]
    [consent] = [block.value for block in page.markdown if "Photograph only yourself" in block.value]
    for promise in (
        "Photograph only yourself, or someone who agreed.",
        "For a child or a person who cannot agree, ask a doctor instead.",
        "The final word is a clinician's.",
        "The program never overrules a person's own worry",
        "The program does not learn from your photos.",
        "It knows nearly only light skin. Where it was not tested, it says so and does not calm.",
    ):
        assert promise in " ".join(consent.split())


def test_about_says_what_happens_to_a_photo(open_page: OpenPage) -> None:
    page = open_page("about")

    assert "Privacy" in [header.value for header in page.header]
    [privacy] = [" ".join(block.value.split()) for block in page.markdown if "(EXIF, GPS)" in block.value]
    for promise in (
        "The photo goes to the computer that runs this program, and nowhere else.",
        "Nothing is written to disk, unless a clinician keeps a result in the records of their clinic, with the consent of whom "
        "it is about and until a day.",
        "up to 30 minutes after",
        "*Start over and delete* removes them.",
        "Place, time and device data inside the photo (EXIF, GPS) are never read into a result and never leave with one.",
    ):
        assert promise in privacy


@pytest.mark.parametrize(
    "limit",
    [
        "It does not diagnose, it replaces no examination, and no result rules out cancer.",
        "people under 18",
        "deciding against a visit",
    ],
)
def test_about_says_what_the_program_is_not_for(open_page: OpenPage, limit: str) -> None:
    assert limit in " ".join(seen(open_page("about")).split())
