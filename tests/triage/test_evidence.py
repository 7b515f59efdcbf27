"""What is said of the evidence beside a result."""

from dermascan_core.domain import Repeatability
from dermascan_core.triage.evidence import not_repeatable_sentence, repeatability_words, what_changed_words

CHANGES = tuple(f"change {number}" for number in range(10))


def _meter(other_class=(), other_advice=(), limit=5):
    return Repeatability(CHANGES, other_class, other_advice, limit)


def test_one_change_of_class_and_step_counts_once():
    assert _meter(CHANGES[:2], CHANGES[1:3]).n_changed == 3


def test_words_name_small_changes_and_other_photos():
    meter = _meter(CHANGES[:3])

    assert repeatability_words(meter) == "The answer changed in 3 of 10 small changes of this photo."
    assert repeatability_words(_meter()) == "The answer changed in none of 10 small changes of this photo."
    assert repeatability_words(meter, n_other_photos=2, n_others_changed=1) == (
        "The answer changed in 3 of 10 small changes of this photo, and in 1 of your 2 other photos of this spot."
    )
    assert repeatability_words(meter, n_other_photos=1) == (
        "The answer changed in 3 of 10 small changes of this photo, and not in your other photo of this spot."
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
