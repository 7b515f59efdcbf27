"""The Screening page, clicked through as a person would: what is seen, never what is stored."""

import cv2
import numpy as np
import pytest

from dermascan_core.domain import NextStep
from dermascan_core.imaging.examples import EXAMPLES
from dermascan_core.services import models
from dermascan_core.triage import wording
from dermascan_core.triage.technique import DERMATOSCOPE, MACRO_LENS
from dermascan_core.triage.wording import (
    BARS_CAPTION,
    HEAT_MAP_CAPTION,
    QUESTIONS,
    UNSURE_SENTENCE,
    Voice,
    how_soon,
    phone_rate_words,
    phone_words,
    step_title,
)
from pages._ui import measures
from tests.fakes import FakePredictor, fake_photo, phone_manifest, photo_bytes
from tests.pages.acting import (
    DARK,
    PALE,
    OpenPage,
    add_photo,
    captions,
    check,
    choose_dermatoscope,
    jpeg,
    ranked,
    screened,
)
from tests.pages.reading import seen, voice_switch

NO_FIGURES = "so no figures exist for such photos."
EVALUATION = {
    "summary": {
        "malignant_share_above_threshold": {"value": 0.4, "low": 0.3, "high": 0.5},
        "malignant_share_below_threshold": {"value": 0.02, "low": 0.01, "high": 0.03},
    },
    "malignant": {"prevalence": 0.2},
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)
def test_one_click_on_an_example_shows_a_next_step(example: object, open_page: OpenPage) -> None:
    page = open_page("screening")

    page.button(key=f"example_{example.key}").click().run()  # type: ignore[attr-defined]

    assert not page.exception
    assert any(step_title(step, Voice.PUBLIC) in seen(page) for step in NextStep)
    assert "Generated picture, not a real lesion" in seen(page)


@pytest.mark.parametrize("voice", ["public", "clinician"])
def test_result_shows_step_bars_chart_and_limits_in_both_voices_without_a_click(
    voice: str, open_page: OpenPage
) -> None:
    page = screened(open_page, jpeg())

    voice_switch(page).set_value(voice).run()

    text = seen(page)
    assert step_title(NextStep.URGENT_2_WEEKS, Voice(voice)) in text
    assert how_soon(NextStep.URGENT_2_WEEKS) in text
    assert len(ranked(page)) == 7
    assert all("%" in line for line in ranked(page))
    assert BARS_CAPTION in text
    assert wording.tested_on(None) in text
    assert len(page.get("plotly_chart")) == 1
    assert HEAT_MAP_CAPTION in captions(page)
    assert "Model dermascan" in text
    assert "engine fake, weights 000000000000" in text


def test_class_shown_first_leads_the_ranking_though_another_share_is_larger(
    open_page: OpenPage, fake_model: FakePredictor
) -> None:
    fake_model.fixed = (0.3, 0.6, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01)

    page = screened(open_page, jpeg())

    assert ranked(page)[0] == "1. **Melanoma (a skin cancer)**: **30 %** (shown first, cancer or pre-cancer)"
    assert ranked(page)[1] == "2. Mole (nevus): **60 %** (also possible)"


def test_clinician_reads_the_threshold_and_the_sets(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = (0.3, 0.6, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01)
    page = screened(open_page, jpeg())

    voice_switch(page).set_value("clinician").run()

    assert "p(malignant) = 0.3600, at or above the operating threshold 0.2000 (chosen for tests)" in seen(page)
    assert "8 of 8 flips and rotations show mel first" in seen(page)


def test_a_yes_is_answered_before_any_photo(open_page: OpenPage) -> None:
    page = open_page("screening")

    page.segmented_control(key="answer_changing").set_value("yes").run()

    assert f"**{step_title(NextStep.SEE_DOCTOR, Voice.PUBLIC)}, whatever a photo shows.**" in page.warning[1].value


def test_bleeding_that_does_not_stop_is_an_emergency_before_any_photo(open_page: OpenPage) -> None:
    page = open_page("screening")

    page.segmented_control(key="answer_unstoppable_bleeding").set_value("yes").run()

    assert f"**{step_title(NextStep.EMERGENCY, Voice.PUBLIC)}, whatever a photo shows.**" in page.error[0].value


def test_every_question_is_asked_and_none_is_answered_in_advance(open_page: OpenPage) -> None:
    page = open_page("screening")

    asked = {control.label: control.value for control in page.segmented_control}
    assert {question: asked[question] for question in QUESTIONS.values()} == dict.fromkeys(QUESTIONS.values())


def test_check_without_a_photo_asks_for_one(open_page: OpenPage) -> None:
    page = check(open_page("screening"))

    assert [error.value for error in page.error] == ["Add a photo of the spot first (part 2)."]


def test_check_asks_what_took_the_photo(open_page: OpenPage) -> None:
    page = check(add_photo(open_page("screening"), "a.jpg", jpeg()))

    assert [error.value for error in page.error] == [
        "Say what took the photo first (part 2): a phone, or a dermatoscope."
    ]


def test_age_that_cannot_be_true_is_named_and_nothing_is_lost(open_page: OpenPage) -> None:
    page = choose_dermatoscope(add_photo(open_page("screening"), "a.jpg", jpeg()))
    page.number_input(key="age").set_value(300)

    check(page)

    assert [error.value for error in page.error] == [
        "Expected age in years between 0 and 120, or empty for unknown. Received 300. "
        "Correct the value, or leave it empty. You find it in part 3."
    ]
    assert "**a\\.jpg**" in [text.value for text in page.markdown]
    page.number_input(key="age").set_value(60)
    assert step_title(NextStep.URGENT_2_WEEKS, Voice.PUBLIC) in seen(check(page))


def test_black_photo_gets_no_class_and_says_how_to_retake_it(open_page: OpenPage) -> None:
    page = screened(open_page, photo_bytes(np.zeros((450, 600, 3), np.uint8)))

    assert ranked(page) == []
    assert len(page.get("plotly_chart")) == 0
    assert "**First: turn on a lamp or go to a window, and take it again.**\n\nThe photo is too dark" in seen(page)
    assert "Do not use this as reassurance." in seen(page)


@pytest.mark.parametrize("data", [b"", b"hello", jpeg()[:2000]], ids=["empty", "text", "truncated"])
def test_file_that_is_no_photo_is_refused_with_a_sentence(data: bytes, open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "photo.jpg", data)

    assert not page.exception
    assert len(page.error) == 1
    assert page.error[0].value.startswith("**First: ")
    assert page.error[0].value.endswith("Without a better photo no class is shown.")


def test_unsure_answer_is_greyed_but_shown(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = (0.2, 0.3, 0.15, 0.05, 0.05, 0.15, 0.05, 0.05)

    page = screened(open_page, jpeg())

    assert UNSURE_SENTENCE in seen(page)
    assert len(ranked(page)) == 7
    assert "Grey: the model is unsure." in seen(page)


def test_photos_that_disagree_are_said_to_and_the_most_urgent_decides(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg(PALE), jpeg(DARK))

    assert "The 2 photos of this lesion were answered differently." in seen(page)
    assert step_title(NextStep.URGENT_2_WEEKS, Voice.PUBLIC) in page.error[0].value
    assert [element.value for element in page.subheader][:3] == ["Do the photos agree?", "Photo 2", "Photo 1"]
    assert len(ranked(page)) == 14


def test_phone_photo_is_marked_and_never_calms(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = (0.001, 0.99, 0.001, 0.001, 0.001, 0.002, 0.002, 0.002)
    page = open_page("screening")
    page.radio(key="image_type").set_value("clinical").run()
    page.button(key="none_of_these").click().run()

    check(add_photo(page, "a.jpg", jpeg(PALE)))

    assert phone_words(None) in seen(page)
    assert step_title(NextStep.WATCH, Voice.PUBLIC) not in seen(page)
    assert len(ranked(page)) == 7


def test_phone_photo_says_on_how_many_such_photos_the_model_was_measured(
    open_page: OpenPage, fake_model: FakePredictor
) -> None:
    fake_model.manifest = phone_manifest(name=models.DEFAULT_MODEL)
    fake_model.fixed = (0.001, 0.99, 0.001, 0.001, 0.001, 0.002, 0.002, 0.002)
    measured = fake_model.manifest.phone_test
    page = open_page("screening")
    page.radio(key="image_type").set_value("clinical").run()
    page.button(key="none_of_these").click().run()

    check(add_photo(page, "a.jpg", jpeg(PALE)))

    for words in (phone_words(measured), phone_rate_words(measured), wording.tested_on(measured)):
        assert words in seen(page)
    assert "not tested on phone photos" not in seen(page).lower()
    assert NO_FIGURES not in seen(page)
    assert step_title(NextStep.WATCH, Voice.PUBLIC) not in seen(page)


def test_calm_dermoscopic_answer_still_does_not_rule_out_cancer(open_page: OpenPage, fake_model: FakePredictor) -> None:
    fake_model.fixed = (0.001, 0.99, 0.001, 0.001, 0.001, 0.002, 0.002, 0.002)
    page = choose_dermatoscope(add_photo(open_page("screening"), "a.jpg", jpeg((120, 70, 50))))
    page.button(key="none_of_these").click().run()
    page.number_input(key="age").set_value(40)
    page.selectbox(key="skin_type").set_value(2)

    check(page)

    assert step_title(NextStep.WATCH, Voice.PUBLIC) in seen(page)
    assert "This does not rule out cancer." in seen(page)


@pytest.mark.parametrize(("key", "value"), [("age", 12), ("site", "nail"), ("site", "mucosa")])
def test_person_or_place_that_was_not_tested_gets_no_class(key: str, value: object, open_page: OpenPage) -> None:
    page = choose_dermatoscope(add_photo(open_page("screening"), "a.jpg", jpeg()))
    (page.number_input if key == "age" else page.selectbox)(key=key).set_value(value)

    check(page)

    assert ranked(page) == []
    assert step_title(NextStep.SEE_DOCTOR, Voice.PUBLIC) in seen(page)
    assert "not tested" in seen(page)


def test_what_the_answers_changed_is_said(open_page: OpenPage) -> None:
    page = choose_dermatoscope(add_photo(open_page("screening"), "a.jpg", jpeg((110, 70, 50))))
    page.number_input(key="age").set_value(80)

    check(page)

    assert "From the photo alone:" in seen(page)
    assert "The more urgent of the two decides the next step." in seen(page)


def test_imaging_steps_are_shown_beside_the_photo_as_it_is(open_page: OpenPage) -> None:
    page = choose_dermatoscope(add_photo(open_page("screening"), "a.jpg", jpeg()))
    page.multiselect(key="imaging_steps").set_value(["hair", "colour"])

    check(page)

    assert "What the imaging steps change" in [element.value for element in page.subheader]
    assert "Photo 1: remove hair, balance colour" in captions(page)


def test_square_set_by_hand_is_what_the_network_sees(open_page: OpenPage, fake_model: FakePredictor) -> None:
    photo = fake_photo(lesion=DARK, centre=(0.25, 0.5), radius_share=0.2)
    page = choose_dermatoscope(add_photo(open_page("screening"), "a.jpg", photo_bytes(photo)))
    sliders = {slider.label: slider for slider in page.slider}
    sliders["Size (percent)"].set_value(40)
    sliders["Left to right (percent)"].set_value(100).run()

    check(page)

    assert "Melanoma (a skin cancer): 1 %" in seen(page).replace("**", "")


def test_file_name_with_markup_is_shown_as_text(open_page: OpenPage) -> None:
    page = choose_dermatoscope(open_page("screening"))

    add_photo(page, "<script>alert(1)</script>.jpg", jpeg())
    check(page)

    assert r"\<script\>alert\(1\)\</script\>\.jpg" in [caption.value for caption in page.caption]
    assert not any(getattr(element.proto, "allow_html", False) for element in (*page.markdown, *page.caption))


def test_the_same_photo_twice_counts_once(open_page: OpenPage) -> None:
    page = open_page("screening")

    add_photo(add_photo(page, "a.jpg", jpeg()), "b.jpg", jpeg())

    assert [button.label for button in page.button].count("Remove this photo") == 1


def test_photo_can_be_removed(open_page: OpenPage) -> None:
    page = add_photo(open_page("screening"), "a.jpg", jpeg())

    page.button(key="remove_0").click().run()

    assert "Remove this photo" not in [button.label for button in page.button]


def test_change_brings_the_form_back_filled_in(open_page: OpenPage) -> None:
    page = choose_dermatoscope(add_photo(open_page("screening"), "a.jpg", jpeg()))
    page.number_input(key="age").set_value(61)
    page.segmented_control(key="answer_worried").set_value("yes")
    check(page)

    page.button(key="change").click().run()

    assert page.number_input(key="age").value == 61
    assert page.segmented_control(key="answer_worried").value == "yes"
    assert page.radio(key="image_type").value == "dermoscopic"
    assert "**a\\.jpg**" in [text.value for text in page.markdown]


def test_missing_weights_are_one_sentence(open_page: OpenPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [])

    page = screened(open_page, jpeg())

    assert [error.value for error in page.error] == [
        "No model is installed: the folder 'weights' holds no manifest. "
        "Restore it from the release, or train and release a model."
    ]


def test_blurred_photo_is_named_before_the_check(open_page: OpenPage) -> None:
    blurred = cv2.GaussianBlur(fake_photo(), (0, 0), 25)

    page = add_photo(open_page("screening"), "a.jpg", photo_bytes(blurred))

    assert "Without a better photo no class is shown." in page.error[0].value


def test_result_can_be_taken_home_in_three_forms(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg())

    assert [button.label for button in page.get("download_button")] == [
        "One page to show a doctor (PNG)",
        "Table (CSV)",
        "Data (JSON)",
    ]


def test_clinician_takes_a_report_and_a_record_for_the_clinic_too(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg())

    voice_switch(page).set_value("clinician").run()

    assert not page.exception
    assert [button.label for button in page.get("download_button")] == [
        "Report for the clinician (PNG)",
        "One page for the patient (PNG)",
        "Table (CSV)",
        "Data (JSON)",
        "For a clinic's records (FHIR)",
        "Photo as DICOM",
    ]


@pytest.mark.parametrize(("image_type", "skin_type"), [("clinical", None), ("dermoscopic", 5), ("dermoscopic", 6)])
def test_no_figures_of_the_test_stand_beside_photos_that_it_did_not_hold(
    image_type: str, skin_type: int | None, open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages._ui.model.load_evaluation", lambda *names: EVALUATION)
    page = add_photo(open_page("screening"), "a.jpg", jpeg())
    page.radio(key="image_type").set_value(image_type)
    page.selectbox(key="skin_type").set_value(skin_type)

    check(page)

    assert NO_FIGURES in seen(page)
    assert "Of 100 test photos" not in seen(page)


def test_dark_skin_has_no_figures_of_a_model_that_was_measured_on_phone_photos(
    open_page: OpenPage, fake_model: FakePredictor
) -> None:
    fake_model.manifest = phone_manifest(name=models.DEFAULT_MODEL)
    page = add_photo(open_page("screening"), "a.jpg", jpeg())
    page.radio(key="image_type").set_value("dermoscopic")
    page.selectbox(key="skin_type").set_value(5)

    check(page)

    assert f"the test held no brown or black skin, {NO_FIGURES}" in seen(page)


def test_figures_of_the_test_stand_beside_photos_like_its_own(
    open_page: OpenPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pages._ui.model.load_evaluation", lambda *names: EVALUATION)

    page = screened(open_page, jpeg())

    assert measures.among_such_answers(EVALUATION, is_above=True) in seen(page)
    assert NO_FIGURES not in seen(page)


def test_the_same_photo_twice_in_one_upload_counts_once(open_page: OpenPage) -> None:
    page = open_page("screening")
    page.file_uploader[0].upload("a.jpg", jpeg(), "image/jpeg")
    page.file_uploader[0].upload("b.jpg", jpeg(), "image/jpeg")

    page.run()

    assert not page.exception
    assert [button.label for button in page.button].count("Remove this photo") == 1
    assert "**a\\.jpg**" in [text.value for text in page.markdown]


@pytest.mark.parametrize(("name", "key"), [("screening", "image_type"), ("compare_moles", "mole_image_type_choice")])
def test_lens_in_use_has_its_advice_beside_the_upload(open_page: OpenPage, name: str, key: str) -> None:
    page = open_page(name)
    assert "10x to 20x" not in seen(page)

    page.radio(key=key).set_value("dermoscopic").run()
    assert " · ".join(line.rstrip(".") for line in DERMATOSCOPE) in [caption.value for caption in page.caption]
    assert MACRO_LENS[0] not in seen(page)

    page.radio(key=key).set_value("clinical").run()
    captions = [caption.value for caption in page.caption]
    [own] = [place for place, text in enumerate(captions) if text.startswith("10 to 15 cm away")]
    assert captions.index(MACRO_LENS[0].rstrip(".")) == own + 1
    assert DERMATOSCOPE[0].rstrip(".") not in seen(page)
