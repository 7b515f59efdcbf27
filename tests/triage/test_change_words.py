"""Two photos of one spot: no sentence measures, none calms, and change is a reason to go."""

from dermascan_core.triage.change_words import (
    CHANGE_IS_A_REASON,
    NOT_MEASURED,
    ONE_DATE_SO_FAR,
    SHARES_VARY,
    camera_words,
    left_out_words,
    standing_step_words,
    steadiness_words,
)


def test_change_is_not_measured_and_is_a_reason_to_see_a_doctor():
    assert NOT_MEASURED.startswith("This program does not measure change.")
    assert "Two photos that look alike do not rule out cancer." in NOT_MEASURED
    assert CHANGE_IS_A_REASON.startswith("Change itself is a reason to see a doctor, whatever any answer here says")


def test_nobody_is_told_to_wait_for_a_second_photo():
    assert "do not wait for it: show it to a doctor now" in ONE_DATE_SO_FAR


def test_a_calmer_answer_takes_nothing_back():
    words = standing_step_words("Refer", n_not_assessed=0)

    assert "**Refer**. A calmer answer to another photo does not take it back." in words
    assert "Not assessed" not in words
    assert standing_step_words("Watch", n_not_assessed=2).endswith(
        "Not assessed: 2. That says nothing about the spot: show it to a doctor."
    )


def test_shares_of_two_photos_are_said_to_vary_by_as_much_as_was_measured():
    assert "a higher or lower dot is no measure of change" in SHARES_VARY
    assert steadiness_words("25", 404).startswith(
        "Of 100 photos of our test (404 were counted), 25 got another class first"
    )


def test_what_a_chart_leaves_out_is_counted_and_named():
    assert left_out_words("", n_of_other_kind=0, n_by_other_model=0) == ""
    assert left_out_words("dermoscopic", n_of_other_kind=2, n_by_other_model=1) == (
        "Not shown: 2 answers to photos by dermatoscope and 1 answer by another model, whose shares do not compare with "
        "these; they stand in the list above."
    )


def test_cameras_are_named():
    assert camera_words("dermoscopic") == "dermatoscope"
    assert camera_words("clinical") == "phone or camera"
    assert camera_words("dcm") == "unknown camera"
