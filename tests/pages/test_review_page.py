"""Reading cases: the own opinion first, then the model's; both kept, nothing lost, nobody's work overwritten."""

import pytest

from dermascan_core.errors import RecordError
from dermascan_core.services import models
from dermascan_core.services.access import NOBODY
from dermascan_core.services.history import lesion_history
from dermascan_core.services.map_audit import map_verdicts
from dermascan_core.services.review_case import open_case
from dermascan_core.services.reviewing import find_reading, reviews_of
from tests.attacks import SQL_INJECTIONS, XSS
from tests.fakes import fake_manifest, fake_photo, photo_bytes
from tests.pages.reading import seen
from tests.pages.reviewing import ADA, BEN, PALE, clinic, keep_case, labels, open_as, press

BARS = "shown first"


@pytest.fixture
def records(tmp_path, monkeypatch):
    return clinic(tmp_path / "records", monkeypatch)


def kept_reviews(records, screening_id):
    case = open_case(records, screening_id)
    return reviews_of(lesion_history(records, case.lesion.id), screening_id)


def read_to_the_answer(page, dx="mel", step="see_doctor"):
    press(page, f"own_dx_{dx}")
    return press(page, f"own_step_{step}")


def test_list_shows_the_order_and_nothing_of_the_models_answer(records, monkeypatch):
    keep_case(records, lesion=PALE)
    keep_case(records)

    page = open_as(ADA, monkeypatch, "review")

    table = page.dataframe[0].value
    assert list(table.columns) == ["order", "person", "kept", "readings"]
    assert list(table["order"]) == [1, 2]
    assert "Begin with the first of 2" in labels(page)
    assert "melanoma" not in seen(page)


def test_models_answer_is_hidden_until_both_own_answers_are_given(records, monkeypatch):
    screening = keep_case(records)

    page = open_as(ADA, monkeypatch, "review", screening=screening)
    assert "Your own opinion first" in seen(page)
    assert BARS not in seen(page)
    press(page, "own_dx_mel")
    assert BARS not in seen(page)
    press(page, "own_step_urgent_2_weeks")

    assert BARS in seen(page)
    assert "Your decision" in seen(page)
    assert "Agree with the model" in labels(page)


def test_heat_map_is_judged_after_the_answer_and_counted(records, monkeypatch):
    monkeypatch.setattr(
        models, "load_model_manifest", lambda name: fake_manifest(name=name)
    )  # of these weights, so with maps
    screening = keep_case(records)
    page = open_as(ADA, monkeypatch, "review", screening=screening)
    assert "map_right" not in {button.key for button in page.button}
    press(page, "own_dx_mel")
    press(page, "own_step_urgent_2_weeks")

    press(page, "map_wrong")
    press(page, "map_partly")

    assert map_verdicts(records.database) == {(ADA.name, screening): "partly"}
    assert "You may change your mind." in seen(page)
    assert "- In part: 1 of 1 (too few to show as a share)" in seen(open_as(BEN, monkeypatch, "outcomes"))


def test_a_wrong_key_for_the_diagnosis_can_be_taken_back_before_the_answer_shows(records, monkeypatch):
    page = open_as(ADA, monkeypatch, "review", screening=keep_case(records))

    press(page, "own_dx_df")
    press(page, "redo_dx")

    assert "What do you take it for?" in seen(page)
    assert BARS not in seen(page)


def test_agreeing_keeps_own_opinion_and_models_answer_side_by_side(records, monkeypatch):
    screening = keep_case(records)

    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening), dx="nv", step="routine_check")
    press(page, "agree")

    [review] = kept_reviews(records, screening)
    assert (review.own_dx, review.own_step) == ("nv", "routine_check")
    assert (review.decision, review.final_dx, review.final_step) == ("agree", "mel", "urgent_2_weeks")
    assert "Kept beside the model's answer." in " ".join(box.value for box in page.success)


def test_override_needs_a_reason_and_keeps_it(records, monkeypatch):
    screening = keep_case(records)
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening), dx="bkl", step="watch")

    press(page, "override")
    press(page, "confirm_override")
    assert "Write one first." in page.error[0].value
    assert kept_reviews(records, screening) == ()
    page.text_area[0].set_value("Stuck-on, waxy, horn cysts.").run()
    press(page, "confirm_override")

    [review] = kept_reviews(records, screening)
    assert (review.decision, review.final_dx, review.final_step) == ("override", "bkl", "watch")
    assert review.reason == "Stuck-on, waxy, horn cysts."
    assert "melanoma" in seen(page)  # the model's answer stands beside it


def test_refer_takes_the_more_urgent_step(records, monkeypatch):
    screening = keep_case(records)

    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening), dx="unknown", step="watch")
    press(page, "refer")

    [review] = kept_reviews(records, screening)
    assert (review.decision, review.final_dx, review.final_step) == ("refer", "unknown", "urgent_2_weeks")


def test_undo_is_a_new_version_and_brings_the_draft_back(records, monkeypatch):
    screening = keep_case(records)
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening))
    press(page, "agree")

    press(page, "undo_reading")

    first, second = kept_reviews(records, screening)
    assert (first.decision, second.decision) == ("agree", "withdrawn")
    assert (first.version, second.version) == (1, 2)
    assert "Your decision" in seen(page)
    press(page, "agree")
    assert [one.decision for one in kept_reviews(records, screening)] == ["agree", "withdrawn", "agree"]


def test_half_written_reading_is_there_in_a_new_session(records, monkeypatch):
    screening = keep_case(records)
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening), dx="bkl", step="watch")
    press(page, "override")
    page.text_area[0].set_value("Half a sen").run()

    again = open_as(ADA, monkeypatch, "review", screening=screening)

    assert again.text_area[0].value == "Half a sen"
    assert "Your decision" in seen(again)


def test_words_typed_after_the_login_ended_are_not_written_and_come_back_after_the_next_login(records, monkeypatch):
    screening = keep_case(records)
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening), dx="bkl", step="watch")
    press(page, "override")

    monkeypatch.setattr("pages._ui.access.current_user", lambda **_: NOBODY)
    page.text_area[0].set_value("Typed too late").run()
    assert find_reading(records, screening, reviewer="ada").reason == ""
    monkeypatch.setattr("pages._ui.access.current_user", lambda **_: ADA)
    page.run()

    assert find_reading(records, screening, reviewer="ada").reason == "Typed too late"
    assert page.text_area[0].value == "Typed too late"
    assert page.selectbox(key=f"final_dx_{screening}").value == "bkl"


def test_two_clinicians_read_one_case_and_the_second_is_told(records, monkeypatch):
    screening = keep_case(records)
    ada = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening), dx="mel", step="see_doctor")
    ben = read_to_the_answer(open_as(BEN, monkeypatch, "review", screening=screening), dx="nv", step="watch")

    press(ben, "agree")
    monkeypatch.setattr("pages._ui.access.current_user", lambda **_: ADA)
    press(ada, "agree")

    assert {review.reviewer for review in kept_reviews(records, screening)} == {"ada", "ben"}
    assert "ben has read this case too." in " ".join(box.value for box in ada.info)
    assert "Both are kept." in " ".join(box.value for box in ada.info)


def test_the_others_opinion_is_not_seen_before_the_own_one(records, monkeypatch):
    screening = keep_case(records)
    press(read_to_the_answer(open_as(BEN, monkeypatch, "review", screening=screening), dx="bcc"), "agree")

    page = open_as(ADA, monkeypatch, "review", screening=screening)

    assert "ben" not in seen(page)


def test_same_clinician_in_two_windows_is_told_and_nothing_is_overwritten(records, monkeypatch):
    screening = keep_case(records)
    one = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening))
    two = open_as(ADA, monkeypatch, "review", screening=screening)

    press(one, "agree")
    press(two, "refer")

    assert [review.decision for review in kept_reviews(records, screening)] == ["agree"]


def test_next_opens_what_is_not_read_yet_and_then_the_list(records, monkeypatch):
    first, second = keep_case(records), keep_case(records)
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=first))
    press(page, "agree")

    press(page, "next")
    assert page.query_params["screening"] == second
    press(read_to_the_answer(page), "agree")
    press(page, "next")

    assert "Nothing to read here." in " ".join(box.value for box in page.info)


def test_next_walks_through_all_that_is_unread_and_then_begins_again(records, monkeypatch):
    cases = [keep_case(records) for _ in range(4)]
    page = open_as(ADA, monkeypatch, "review", screening=cases[1])
    opened = []

    for _ in cases:
        press(page, "next")
        opened.append(page.query_params["screening"])

    assert opened == [cases[2], cases[3], cases[0], cases[1]]


def test_next_after_a_reading_goes_on_from_its_place_in_the_list(records, monkeypatch):
    cases = [keep_case(records) for _ in range(3)]
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=cases[1]))
    press(page, "agree")

    press(page, "next")

    assert page.query_params["screening"] == cases[2]


def test_another_square_or_answer_gives_a_new_answer_and_both_are_kept(records, monkeypatch):
    screening = keep_case(records)
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening))

    page.number_input(key=f"what_if_age_{screening}").set_value(80)
    page.slider(key=f"what_if_size_{screening}_0").set_value(90)
    press(page, f"again_{screening}")

    case = open_case(records, page.query_params["screening"])
    assert case.screening.replaces_id == screening
    assert case.answer.metadata.age_approx == 80
    assert case.answer.photos[0].crop.source == "hand"
    assert "What the new answer changed" in seen(page)
    assert "Both answers are kept." in seen(page)
    history = lesion_history(records, case.lesion.id)
    assert len(history.cases) == 2
    assert open_case(records, screening).answer.metadata.age_approx == 65


def test_photos_of_two_kinds_keep_theirs_in_a_new_answer_unless_another_is_chosen(records, monkeypatch):
    screening = keep_case(records, close_up=photo_bytes(fake_photo(width=300, height=225, lesion=PALE)))
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening))
    assert "taken in two ways (photo 1 with a dermatoscope, photo 2 by phone)" in seen(page)
    assert seen(page).index("Photo 1: dermatoscope photo") < seen(page).index("Photo 2: phone photo")

    page.number_input(key=f"what_if_age_{screening}").set_value(80)
    press(page, f"again_{screening}")
    kept_apart = page.query_params["screening"]
    page.radio(key=f"what_if_type_{kept_apart}").set_value("clinical")
    press(page, f"again_{kept_apart}")

    answers = [open_case(records, one).answer for one in (kept_apart, page.query_params["screening"])]
    assert [[photo.image_type for photo in answer.photos] for answer in answers] == [
        ["dermoscopic", "clinical"],
        ["clinical", "clinical"],
    ]


@pytest.mark.parametrize("wanted", ["0" * 32, "../../etc/passwd", "<script>alert(1)</script>", SQL_INJECTIONS[0]])
def test_link_to_no_case_is_told_and_shows_nothing(records, monkeypatch, wanted):
    keep_case(records)

    page = open_as(ADA, monkeypatch, "review", screening=wanted)

    assert not page.exception
    assert page.error[0].value.startswith("There is no such case in the records.")


@pytest.mark.parametrize("wanted", SQL_INJECTIONS)
def test_no_injected_text_opens_a_case(records, wanted):
    keep_case(records)

    with pytest.raises(RecordError, match="There is no such case in the records"):
        open_case(records, wanted)


def test_link_to_a_case_shows_the_public_nothing(records, monkeypatch):
    screening = keep_case(records)

    page = open_as(NOBODY, monkeypatch, "review", screening=screening)

    assert "P-" not in seen(page)
    assert "Your own opinion first" not in seen(page)


@pytest.mark.parametrize("attack", XSS)
def test_names_labels_files_and_reasons_are_shown_as_text(records, monkeypatch, attack):
    screening = keep_case(records, name=attack, label=attack, file_name=f"{attack}.jpg")
    page = read_to_the_answer(open_as(ADA, monkeypatch, "review", screening=screening), dx="bkl", step="watch")
    press(page, "override")
    page.text_area[0].set_value(attack).run()
    press(page, "confirm_override")

    kinds = (page.markdown, page.caption, page.success, page.info, page.warning, page.error)
    texts = [element.value for kind in kinds for element in kind]

    assert [text for text in texts if attack.strip() and attack.strip() in text and "<" in attack] == []
    assert all(not element.allow_html for element in page.markdown if "st-key" not in element.value)


def test_empty_list_offers_a_demo_clinic_that_one_click_removes(records, monkeypatch):
    page = open_as(ADA, monkeypatch, "review")

    press(page, "fill_demo")
    assert "It counts in no figure." in seen(page)
    press(page, "remove_demo")

    assert "Nothing to read here." in seen(page)
