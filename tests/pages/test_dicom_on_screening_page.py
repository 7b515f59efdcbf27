"""A DICOM file on the Screening page: its picture is judged, what it tells is shown and filled in, nobody is named."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from dermascan_core.domain import ImageType, NextStep
from dermascan_core.imaging.examples import EXAMPLES
from dermascan_core.interop.dicom_codes import PHOTOGRAPHIC
from dermascan_core.triage.wording import Voice, step_title
from pages._ui.case import Case
from tests.fakes import fake_photo
from tests.interop.dicom_files import dicom_bytes, region
from tests.pages.acting import DARK, PALE, OpenPage, add_photo, check, jpeg, screened
from tests.pages.reading import seen, voice_switch

WORDS = ("Doe", "H-4711", "19650102", "Clinic of the test")
BACK = {"AnatomicRegionSequence": region("66643007", "Back")}


def add_dicom(page: AppTest, data: bytes) -> AppTest:
    page.file_uploader[0].upload("mole.dcm", data, "application/dicom")
    page.run()
    assert not page.exception
    return page


def case_of(page: AppTest) -> Case:
    case = page.session_state["current_case"]
    assert isinstance(case, Case)
    return case


def test_dicom_is_answered_with_what_it_tells(open_page: OpenPage) -> None:
    page = add_dicom(open_page("screening"), dicom_bytes(fake_photo(lesion=DARK), **BACK))

    assert page.radio(key="image_type").value is None
    assert list(case_of(page).photo_types.values()) == [ImageType.DERMOSCOPIC]
    assert (page.number_input(key="age").value, page.segmented_control(key="sex").value) == (61, "female")
    assert page.selectbox(key="site").value == "back"
    assert (
        "The DICOM file says: Age: 61. Sex: female. Place: Back. Taken with: dermoscopic. "
        "Used where you had not answered; correct it in the form if it is wrong."
    ) in [caption.value for caption in page.caption]
    check(page)
    assert step_title(NextStep.URGENT_2_WEEKS, Voice.PUBLIC) in seen(page)


def test_what_was_answered_before_stays(open_page: OpenPage) -> None:
    page = open_page("screening")
    page.radio(key="image_type").set_value("clinical")
    page.number_input(key="age").set_value(40)
    page.segmented_control(key="sex").set_value("unsaid").run()

    add_dicom(page, dicom_bytes(fake_photo(), **BACK))

    assert page.radio(key="image_type").value == "clinical"
    assert case_of(page).photo_types == {}
    assert (page.number_input(key="age").value, page.segmented_control(key="sex").value) == (40, "unsaid")
    assert page.selectbox(key="site").value == "back"


def test_answers_to_the_questions_are_not_lost(open_page: OpenPage) -> None:
    page = open_page("screening")
    page.segmented_control(key="answer_changing").set_value("yes").run()

    add_dicom(page, dicom_bytes(fake_photo(), SOPClassUID=PHOTOGRAPHIC, Modality="XC"))

    assert page.segmented_control(key="answer_changing").value == "yes"
    assert list(case_of(page).photo_types.values()) == [ImageType.CLINICAL]


def test_one_file_says_nothing_of_what_took_the_other_photos(open_page: OpenPage) -> None:
    page = add_dicom(open_page("screening"), dicom_bytes(fake_photo(lesion=DARK), **BACK))
    page = add_photo(page, "phone.jpg", jpeg(PALE))

    check(page)

    assert case_of(page).screening is None
    assert "what took the photo" in seen(page).lower()
    page.radio(key="image_type").set_value("clinical")
    check(page)
    screening = case_of(page).screening
    assert screening is not None
    assert [screening.type_of(photo) for photo in screening.photos] == [ImageType.DERMOSCOPIC, ImageType.CLINICAL]


def test_file_of_a_phone_is_one_whatever_was_said_of_all_photos(open_page: OpenPage) -> None:
    page = open_page("screening")
    page.radio(key="image_type").set_value("dermoscopic").run()

    add_dicom(page, dicom_bytes(fake_photo(), SOPClassUID=PHOTOGRAPHIC, Modality="XC"))

    assert list(case_of(page).photo_types.values()) == [ImageType.CLINICAL]


def test_own_file_after_an_example_is_judged_with_what_it_tells_alone(open_page: OpenPage) -> None:
    page = open_page("screening")
    page.button(key=f"example_{EXAMPLES[0].key}").click().run()
    page.button(key="change").click().run()

    add_dicom(page, dicom_bytes(fake_photo(), PatientSex="M"))

    assert (page.number_input(key="age").value, page.segmented_control(key="sex").value) == (61, "male")
    assert page.selectbox(key="site").value is None


def test_nothing_that_names_a_person_stays_in_the_session(open_page: OpenPage) -> None:
    page = add_dicom(open_page("screening"), dicom_bytes(fake_photo(), PixelData=None))
    add_dicom(page, dicom_bytes(fake_photo()))

    kept = repr(case_of(page))

    assert len(case_of(page).photos) == 2
    assert [word for word in WORDS if word in kept] == []


def test_dicom_without_a_picture_says_what_to_do_and_keeps_its_reason_in_the_result(open_page: OpenPage) -> None:
    page = add_dicom(open_page("screening"), dicom_bytes(fake_photo(), PixelData=None))

    assert [error.value for error in page.error] == [
        "**First: choose another file.**\n\nExpected a DICOM file with a picture. This one holds none. "
        "Without a better photo no class is shown."
    ]
    page.radio(key="image_type").set_value("dermoscopic").run()
    assert "Expected a DICOM file with a picture. This one holds none." in seen(check(page))


def test_same_dicom_file_twice_is_one_photo(open_page: OpenPage) -> None:
    data = dicom_bytes(fake_photo())

    page = add_dicom(add_dicom(open_page("screening"), data), data)

    assert len(case_of(page).photos) == 1


def test_clinician_gets_each_photo_as_dicom_and_the_public_does_not(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg(), jpeg(PALE))
    labels = [button.label for button in page.get("download_button")]
    assert not [label for label in labels if "DICOM" in label]

    voice_switch(page).set_value("clinician").run()

    more = [button.label for button in page.get("download_button")]
    assert [label for label in more if "DICOM" in label] == ["Photo 1 as DICOM", "Photo 2 as DICOM"]
    assert "What the picture itself shows stays in it." in seen(page)
