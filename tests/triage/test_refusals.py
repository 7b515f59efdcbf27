import numpy as np
import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, NextStep, Reason
from dermascan_core.imaging.quality import FAILURES
from dermascan_core.services.screening import screen_lesion
from dermascan_core.services.withholding import GIVEN, Withheld, Withholding
from dermascan_core.triage.refusals import (
    GIVEN_UP_TITLE,
    asks_for_retake,
    fault_and_advice,
    given_up_words,
    is_given_up,
    retake_words,
    step_words,
)
from dermascan_core.triage.rules import RULES
from dermascan_core.triage.wording import Voice, how_soon, step_text
from tests.fakes import FakePredictor, fake_photo, photo_bytes

STOPPED = Withholding(Withheld.ALL, "anna", None, "two melanomas were missed")
BLACK = photo_bytes(np.full((300, 400, 3), 4, np.uint8))
WHITE = photo_bytes(np.full((300, 400, 3), 255, np.uint8))
GOOD = photo_bytes(fake_photo())


def screen(
    *photos: bytes, answers: Answers | None = None, age: float | None = None, n_refused_before: int = 0, withheld=GIVEN
):
    return screen_lesion(
        [(f"{number}.jpg", data) for number, data in enumerate(photos)],
        metadata=Metadata(age_approx=age),
        answers=answers or Answers(),
        image_type=ImageType.DERMOSCOPIC,
        predictor=FakePredictor(),
        n_refused_before=n_refused_before,
        withheld=withheld,
    )


class TestWords:
    def test_the_one_thing_to_do_better_comes_first(self) -> None:
        said = retake_words(Reason("too_dark", FAILURES["too_dark"]), closing="No class is shown.", is_given_up=False)

        assert said == (
            "**First: turn on a lamp or go to a window, and take it again.**\n\n"
            "The photo is too dark to judge. No class is shown."
        )

    def test_nothing_is_asked_for_once_given_up(self) -> None:
        said = retake_words(Reason("too_dark", FAILURES["too_dark"]), closing="No class is shown.", is_given_up=True)

        assert said == "The photo is too dark to judge. No class is shown."

    def test_nobody_is_sent_for_another_photo_where_none_could_help(self) -> None:
        reason = Reason("not_tested_under_18", RULES["under_18"].sentence)

        said = retake_words(reason, closing="No class is shown.", is_given_up=False)

        assert said == f"{reason.sentence} No class is shown."

    @pytest.mark.parametrize("code", FAILURES)
    def test_every_failure_has_a_fault_and_an_advice(self, code: str) -> None:
        fault, advice = fault_and_advice(Reason(code, FAILURES[code]))

        assert f"{fault} {advice}" == FAILURES[code]
        assert asks_for_retake(Reason(code, FAILURES[code]))

    @pytest.mark.parametrize("voice", list(Voice))
    def test_more_urgent_answers_are_said_beside_the_doctor(self, voice: Voice) -> None:
        calm = given_up_words(Answers(), Metadata(), voice)
        urgent = given_up_words(Answers(unstoppable_bleeding=True), Metadata(), voice)

        assert calm.startswith(f"**{GIVEN_UP_TITLE}.** Book this week")
        assert "Your answers ask for more" not in calm
        assert urgent.startswith(f"**{GIVEN_UP_TITLE}.** Now.")
        assert "Your answers ask for more" in urgent


class TestScreening:
    def test_one_refused_photo_is_not_assessed_and_may_be_taken_again(self) -> None:
        screening = screen(BLACK)

        assert screening.next_step is NextStep.NOT_ASSESSED
        assert not is_given_up(screening)

    @pytest.mark.parametrize(("photos", "before"), [((BLACK,), 1), ((BLACK, WHITE), 0)])
    def test_two_refused_photos_of_one_lesion_lead_to_a_doctor(self, photos: tuple[bytes, ...], before: int) -> None:
        screening = screen(*photos, n_refused_before=before)

        assert screening.next_step is NextStep.SEE_DOCTOR
        assert is_given_up(screening)
        assert RULES["refused"].sentence in screening.step_reasons

    def test_more_urgent_answers_keep_their_step(self) -> None:
        screening = screen(BLACK, answers=Answers(unstoppable_bleeding=True), n_refused_before=1)

        assert screening.next_step is NextStep.EMERGENCY
        assert is_given_up(screening)

    def test_a_photo_that_can_be_judged_after_all_is_judged(self) -> None:
        screening = screen(GOOD, n_refused_before=2)

        assert screening.photos[0].prediction is not None
        assert not is_given_up(screening)

    def test_people_who_were_never_tested_are_not_counted_as_refused_photos(self) -> None:
        screening = screen(GOOD, GOOD, age=12)

        assert screening.next_step is NextStep.SEE_DOCTOR
        assert not is_given_up(screening)


class TestStepWords:
    @pytest.mark.parametrize("voice", list(Voice))
    def test_no_new_photo_is_asked_for_where_all_answers_are_stopped(self, voice: Voice) -> None:
        said = step_words(screen(GOOD, withheld=STOPPED), voice)

        assert said.how_soon == "At a doctor's visit; no other photo is needed"
        assert "ake a new photo" not in said.text
        assert "repeat the photo" not in said.text
        assert "reassurance" in said.text or voice is Voice.CLINICIAN

    @pytest.mark.parametrize("photos", [(BLACK,), ()])
    def test_new_photo_is_asked_for_where_it_can_help(self, photos: tuple[bytes, ...]) -> None:
        said = step_words(screen(*photos), Voice.PUBLIC)

        assert said.how_soon == how_soon(NextStep.NOT_ASSESSED)
        assert said.text == step_text(NextStep.NOT_ASSESSED, Voice.PUBLIC)

    def test_answers_own_step_stands_where_all_answers_are_stopped(self) -> None:
        said = step_words(screen(GOOD, withheld=STOPPED, answers=Answers(unstoppable_bleeding=True)), Voice.PUBLIC)

        assert said.how_soon == how_soon(NextStep.EMERGENCY)
