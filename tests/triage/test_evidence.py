"""What is said of the evidence beside a result."""

from dataclasses import replace

from dermascan_core.domain import ArtefactCheck, NextStep, PhotoScreening, Repeatability, Status
from dermascan_core.triage.evidence import (
    artefact_words,
    heat_words,
    metadata_effect_words,
    not_repeatable_sentence,
    painted_over_words,
    repeatability_words,
    what_changed_words,
)
from dermascan_core.triage.wording import Voice
from tests.triage.test_policy import CALM, URGENT

CHANGES = tuple(f"change {number}" for number in range(10))


def _meter(other_class=(), other_advice=(), limit=5):
    return Repeatability(CHANGES, other_class, other_advice, limit)


def test_one_change_of_class_and_step_counts_once():
    assert _meter(CHANGES[:2], CHANGES[1:3]).n_changed == 3


def test_words_name_small_changes_and_other_photos():
    meter = _meter(CHANGES[:3])

    assert repeatability_words(meter) == "In 10 small changes of this photo, the answer changed 3 times."
    assert repeatability_words(_meter()) == "In 10 small changes of this photo, the answer stayed the same."
    assert repeatability_words(meter, n_other_photos=2, n_others_changed=1) == (
        "In 10 small changes of this photo, the answer changed 3 times. "
        "Of your 2 other photos of this spot, 1 got another answer, 1 the same."
    )
    assert repeatability_words(meter, n_other_photos=1) == (
        "In 10 small changes of this photo, the answer changed 3 times. Your other photo of this spot got the same answer."
    )


def test_words_say_what_changed_when():
    assert what_changed_words(_meter()) == ""
    assert what_changed_words(_meter(("turned by 15 degrees",), ("a little darker", "a little brighter"))) == (
        "Another class was shown first when the photo was turned by 15 degrees. "
        "Whether the model asks for a doctor changed when it was a little darker, or a little brighter."
    )


def test_unsteady_answer_sends_to_a_doctor():
    assert not_repeatable_sentence(_meter(CHANGES[:7])) == (
        "The answer changed in 7 of 10 small changes of this photo, so it depends more on how the photo was taken than "
        "on the spot. Let a doctor look at the spot."
    )


def test_artefacts_are_named_together():
    assert artefact_words(ArtefactCheck({}, ())) == ""
    assert artefact_words(ArtefactCheck({}, ("hair", "ruler"))) == "There is hair and a ruler in this photo."
    assert (
        artefact_words(ArtefactCheck({}, ("dark_corners", "glare")))
        == "There are dark corners and glare in this photo."
    )


def test_answer_painted_over_is_set_beside_the_one_shown():
    photo = PhotoScreening("a.jpg", Status.ANSWERED, None, None, None, CALM, None, NextStep.WATCH)
    same, other = (replace(photo, artefacts=ArtefactCheck({}, ("hair",), again)) for again in (CALM, URGENT))

    assert painted_over_words(photo, Voice.PUBLIC) == ""
    assert painted_over_words(same, Voice.CLINICIAN) == (
        "Painted over, the same class is shown first; cancer or pre-cancer 1 % (was 1 %)."
    )
    assert painted_over_words(other, Voice.CLINICIAN) == (
        "Painted over, another class is shown first: melanoma; cancer or pre-cancer 50 % (was 1 %). "
        "The more urgent of the two answers counts. A photo without it would be better."
    )


def test_map_beside_the_spot_raises_doubt():
    assert heat_words(0.72, 0.41).endswith("a blind look would have 41 %.")
    assert heat_words(0.2, 0.41).endswith("be doubtful of this answer.")


def test_effects_of_what_was_told_are_said_the_largest_first():
    assert metadata_effect_words({}) == ""
    assert metadata_effect_words({"sex": 0.02, "age_approx": -0.3, "anatom_site": 0.001}) == (
        "Telling the model the age lowered the share of cancer or pre-cancer by 30 points; the sex raised it by 2 points; "
        "the body site hardly changed it."
    )
    assert metadata_effect_words({"bleed": -0.01}).endswith(" lowered the share of cancer or pre-cancer by 1 point.")
