"""What the person said, in a few words: nothing that was answered or left open is lost."""

from __future__ import annotations

from dermascan_core.domain import ANSWER_FIELDS, HISTORY_FIELDS, SYMPTOM_FIELDS, Answers, Metadata
from dermascan_core.triage.told import HISTORY_NAMES, SIGN_NAMES, SYMPTOM_NAMES, seven_point_words, told_words


def test_every_answer_has_a_name():
    assert tuple(SIGN_NAMES) == ANSWER_FIELDS
    assert tuple(HISTORY_NAMES) == HISTORY_FIELDS
    assert tuple(SYMPTOM_NAMES) == SYMPTOM_FIELDS


def test_yes_no_and_open_stand_apart():
    metadata = Metadata(personal_hx_skin_cancer=True, immunosuppressed=False, itch=True, fitzpatrick_skin_type=3)

    yes, no, left_open, skin_type = told_words(metadata, Answers(changing=True, new=False))

    assert yes == "Said to be so: changed in size, shape or colour; skin cancer before; itches."
    assert no == "Said not to be so: new and growing; immunosuppressed."
    assert left_open.startswith("Not answered: bleeding that does not stop; very unwell, or redness that spreads fast;")
    assert "itch" not in left_open.replace("hurts or itches", "")
    assert skin_type == "Skin type (Fitzpatrick, 1 to 6): 3."


def test_nothing_answered_is_all_left_open():
    said = told_words(Metadata(), Answers())

    assert len(said) == 2
    assert all(name in said[0] for name in (*SIGN_NAMES.values(), *HISTORY_NAMES.values()))
    assert said[1] == "Skin type (Fitzpatrick, 1 to 6): not told."


def test_score_stands_beside_the_features_that_make_it():
    assert seven_point_words(Answers(changing=True, bleeding=True), Metadata()).startswith(
        "Weighted 7-point score from the answers: 3 of 10, as a lower bound: "
        "change in size, shape or colour (2), oozing or crusting (1)."
    )
