"""Then and now on Case history: two photos of one spot with their dates, no change measured, nothing given away."""

import json
from datetime import UTC, datetime

import pytest

from dermascan_core.domain import ImageType
from dermascan_core.services.access import NOBODY
from dermascan_core.services.history import lesion_history
from dermascan_core.services.records import add_lesion
from dermascan_core.services.review_case import open_case
from dermascan_core.storage.vault import new_key
from dermascan_core.triage.change_words import (
    CHANGE_IS_A_REASON,
    DIFFERENT_KINDS,
    NOT_MEASURED,
    ONE_DATE_SO_FAR,
    SHARES_VARY,
)
from tests.pages.acting import captions
from tests.pages.reading import seen
from tests.pages.reviewing import ADA, BEN, DARK, clinic, keep_another, keep_case, open_as, read_blind, sit_down

MARCH, JUNE = datetime(2025, 3, 1, 9, tzinfo=UTC), datetime(2025, 6, 1, 9, tzinfo=UTC)
BROWN = (120, 70, 50)


@pytest.fixture
def records(tmp_path, monkeypatch):
    return clinic(tmp_path / "records", monkeypatch)


@pytest.fixture
def lesion_id(records):
    """A second spot of somebody, whose first spot has a photo of today."""
    person = open_case(records, keep_case(records)).person
    return add_lesion(records, person.id, actor="ada", now=datetime.now(UTC), label="right knee").id


@pytest.fixture
def two_dates(records, lesion_id):
    """A spot dark in March and pale in June; returns the id of its last screening."""
    keep_another(records, lesion_id, MARCH, lesion=DARK)
    return keep_another(records, lesion_id, JUNE, width=150)


def test_first_and_last_photo_stand_side_by_side_with_dates_and_days_between(records, two_dates, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    assert not page.exception
    assert captions(page) == ["2025-03-01 (dermatoscope)", "2025-06-01 (dermatoscope)"]
    assert "**92 days lie between them.**" in seen(page)


def test_page_says_that_it_measures_no_change_and_that_change_is_a_reason_to_go(records, two_dates, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    said = [warning.value for warning in page.warning]
    assert f"{NOT_MEASURED} **{CHANGE_IS_A_REASON}**" in said
    assert DIFFERENT_KINDS not in said


def test_other_dates_are_chosen_and_stand_in_the_order_of_time(records, lesion_id, two_dates, monkeypatch):
    keep_another(records, lesion_id, datetime(2025, 4, 10, tzinfo=UTC), lesion=BROWN, image_type=ImageType.CLINICAL)
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)
    then, now = page.selectbox(key=f"then_{lesion_id}"), page.selectbox(key=f"now_{lesion_id}")
    assert then.options == ["2025-03-01 (dermatoscope)", "2025-04-10 (phone or camera)", "2025-06-01 (dermatoscope)"]

    newest, oldest = now.value, then.value
    photos = {one.added_at: one.id for one in lesion_history(records, lesion_id).photos}
    middle = ({*photos.values()} - {newest, oldest}).pop()
    then.set_value(newest)
    now.set_value(middle).run()

    assert captions(page) == ["2025-04-10 (phone or camera)", "2025-06-01 (dermatoscope)"]
    assert "**52 days lie between them.**" in seen(page)
    assert DIFFERENT_KINDS in [warning.value for warning in page.warning]


def test_one_date_is_said_to_be_one_and_nobody_is_told_to_wait(records, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=keep_case(records))

    assert ONE_DATE_SO_FAR in [caption.value for caption in page.caption]
    assert captions(page) == []
    assert page.toggle.values == []


def test_photo_answered_anew_on_another_day_is_still_of_one_date(records, lesion_id, monkeypatch):
    first = keep_another(records, lesion_id, MARCH)
    anew = keep_another(records, lesion_id, JUNE, replaces_id=first)

    page = open_as(ADA, monkeypatch, "case_history", screening=anew)

    assert [caption.value for caption in page.caption].count(ONE_DATE_SO_FAR) == 2
    assert captions(page) == []


def test_spot_without_a_photo_is_no_failure(records, lesion_id, monkeypatch):
    person = open_case(records, keep_another(records, lesion_id, MARCH)).person
    add_lesion(records, person.id, actor="ada", now=datetime.now(UTC), label="left knee")

    page = open_as(ADA, monkeypatch, "case_history")
    page.button(key=f"open_{person.pseudonym}").click().run()

    assert not page.exception
    assert "No photo of this spot is kept." in [caption.value for caption in page.caption]


def test_photo_that_is_gone_is_said_and_the_other_one_stays(records, lesion_id, two_dates, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)
    assert len(captions(page)) == 2
    first = next(one for one in lesion_history(records, lesion_id).photos if one.width_px == 300)

    records.images.remove(first.image_sha256)
    page.run()

    assert captions(page) == ["2025-06-01 (dermatoscope)"]
    [gone] = [one.value for one in page.warning if one.value.startswith("2025-03-01")]
    assert gone.startswith(f"2025-03-01 (dermatoscope): The photo {first.image_sha256[:12]} is not in the store")
    assert "**92 days lie between them.**" in seen(page)


def test_answers_and_shares_stay_hidden_until_the_case_was_read(records, two_dates, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    text = seen(page)
    assert text.count("2025-03-01 09:00 UTC: screened, dermoscopic. Not read by you yet") == 2  # in the list, and here
    assert "cancer or pre-cancer" not in text
    assert "most urgent next step" not in text
    assert page.get("plotly_chart") == []


def test_what_one_clinician_has_read_stays_hidden_from_another(records, lesion_id, two_dates, monkeypatch):
    read_blind(records, lesion_id, user=BEN)

    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    assert "cancer or pre-cancer" not in seen(page)
    assert page.get("plotly_chart") == []


def test_after_reading_both_answers_stand_there_and_the_more_urgent_one_counts(
    records, lesion_id, two_dates, monkeypatch
):
    read_blind(records, lesion_id)
    steps = [case.screening.next_step for case in lesion_history(records, lesion_id).cases]
    assert steps[0] != steps[1]  # dark in March, pale in June

    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    text = seen(page)
    assert text.count("2025-03-01 09:00 UTC: screened, dermoscopic: ") == 2
    assert text.count("2025-06-01 09:00 UTC: screened, dermoscopic: ") == 2
    [standing] = [line.value for line in page.markdown if line.value.startswith("The most urgent next step")]
    assert "of all answers that you have read: **Suspected-cancer referral" in standing
    assert standing.endswith("A calmer answer to another photo does not take it back.")


def test_shares_by_date_have_their_line_and_no_course_between_them(records, lesion_id, two_dates, monkeypatch):
    read_blind(records, lesion_id)

    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    [chart] = page.get("plotly_chart")
    dots, line = json.loads(chart.proto.spec)["data"]
    shares = [100 * case.screening.p_malignant for case in lesion_history(records, lesion_id).cases]
    assert dots["mode"] == "markers"
    assert dots["x"] == ["2025-03-01", "2025-06-01"]
    assert dots["y"] == pytest.approx(shares)
    assert line["name"] == "from here on it asks for a doctor"
    assert line["y"] == pytest.approx([20, 20])  # FakePredictor's threshold
    assert any(caption.value.startswith(SHARES_VARY) for caption in page.caption)


def test_chart_says_which_answers_it_leaves_out(records, lesion_id, two_dates, monkeypatch):
    for day in (10, 12):
        at = datetime(2025, 4, day, tzinfo=UTC)
        keep_another(records, lesion_id, at, lesion=BROWN, image_type=ImageType.CLINICAL, width=200 + day)
    read_blind(records, lesion_id)

    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    [chart] = page.get("plotly_chart")
    assert json.loads(chart.proto.spec)["data"][0]["x"] == ["2025-03-01", "2025-06-01"]
    [caption] = [one.value for one in page.caption if one.value.startswith(SHARES_VARY)]
    assert "Not shown: 2 answers to photos by phone or camera, whose shares do not compare with these" in caption


def test_chart_that_leaves_out_nothing_says_nothing_of_it(records, lesion_id, two_dates, monkeypatch):
    read_blind(records, lesion_id)

    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    assert [one.value for one in page.caption if "Not shown: " in one.value] == []


def test_chart_says_how_much_answers_vary_where_that_was_measured(records, lesion_id, two_dates, monkeypatch):
    measured = {"model": {"sha256": "0" * 64}, "changed": {"any": {"value": 0.25}}, "data": {"n": 404}}
    monkeypatch.setattr("pages._ui.then_and_now.load_repeatability", lambda name: measured)
    read_blind(records, lesion_id)

    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)

    assert any("(404 were counted), 25 got another class first" in caption.value for caption in page.caption)


def test_photos_of_several_spots_are_opened_only_when_asked_for(records, lesion_id, two_dates, monkeypatch):
    person = open_case(records, two_dates).person
    third = add_lesion(records, person.id, actor="ada", now=datetime.now(UTC), label="chin").id
    keep_another(records, third, MARCH, lesion=DARK)
    keep_another(records, third, JUNE)
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)
    assert captions(page) == []

    page.toggle(key=f"then_and_now_{third}").set_value(True).run()

    assert len(captions(page)) == 2


def test_nobody_sees_a_photo_after_the_login_ended(records, two_dates, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)
    assert len(captions(page)) == 2

    sit_down(NOBODY, monkeypatch)
    page.run()

    assert captions(page) == []
    assert "lie between them" not in seen(page)


def test_records_under_another_key_show_no_photo_and_say_what_is_wrong(records, two_dates, monkeypatch):
    page = open_as(ADA, monkeypatch, "case_history", screening=two_dates)
    assert len(captions(page)) == 2

    records.places.folder.joinpath("key").write_text(new_key())
    page.run()

    assert captions(page) == []
    assert "key" in page.error[0].value
