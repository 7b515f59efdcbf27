"""The second set of questions: offered, explained, counted, and never answered unseen."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from dermascan_core.triage.wording import QUESTIONS, SIGN_EXPLANATIONS, SIGN_QUESTIONS
from tests.pages.acting import PALE, jpeg, screened
from tests.pages.reading import seen

OpenPage = Callable[[str], AppTest]


def answer(page: AppTest, name: str) -> str | None:
    value: str | None = page.segmented_control(key=f"answer_{name}").value
    return value


def test_each_sign_is_asked_with_its_explanation(open_page: OpenPage) -> None:
    page = open_page("screening")

    labels = [control.label for control in page.segmented_control]
    assert set(SIGN_QUESTIONS.values()) <= set(labels)
    assert all(words in seen(page) for words in SIGN_EXPLANATIONS.values())


def test_no_to_the_warning_signs_leaves_the_folded_signs_open(open_page: OpenPage) -> None:
    page = open_page("screening")

    page.button(key="none_of_these").click().run()
    assert {answer(page, name) for name in QUESTIONS} == {"no"}
    assert {answer(page, name) for name in SIGN_QUESTIONS} == {None}

    page.button(key="none_of_these_signs").click().run()
    assert {answer(page, name) for name in SIGN_QUESTIONS} == {"no"}


def test_two_answers_that_do_not_fit_are_pointed_out_before_and_after_the_check(open_page: OpenPage) -> None:
    said = "You said that it has not changed, and also that it is changing lately. The more careful answer counts."
    page = open_page("screening")
    page.button(key="none_of_these").click().run()
    assert said not in seen(page)

    page.segmented_control(key="answer_evolving").set_value("yes").run()

    assert "Two answers do not fit together" in seen(page)
    assert said in seen(page)
    assert "Show this spot to a doctor, whatever a photo shows." in seen(page)


def test_sign_that_was_named_overrules_a_calm_photo(open_page: OpenPage) -> None:
    page = screened(open_page, jpeg(PALE), several_colours="yes")

    text = seen(page)
    assert "It has several colours. A doctor should see it, whatever the photo shows." in text
    assert "C: Does it have more than one colour? Yes." in text
