"""The kill switch: what it withholds, who may turn it, and that a damaged one withholds rather than gives."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, NextStep, Status
from dermascan_core.errors import AccessError, AnswersWithheldError, RecordError, StorageError
from dermascan_core.services.access import LOCAL_USER, Role, User
from dermascan_core.services.explanations import explain_further
from dermascan_core.services.mole_comparison import compare_moles
from dermascan_core.services.records import open_records
from dermascan_core.services.screeners import PhotoTask, screen_task
from dermascan_core.services.screening import screen_lesion
from dermascan_core.services.stored_batches import find_batch
from dermascan_core.services.withholding import (
    GIVEN,
    VARIABLE,
    Withheld,
    Withholding,
    check_switch,
    read_switch,
    read_withholding,
    set_withholding,
)
from dermascan_core.storage import audit
from dermascan_core.storage.places import read_places
from dermascan_core.triage.policy import calmest
from dermascan_core.triage.refusals import WITHHELD
from tests.fakes import FakePredictor, fake_photo, photo_bytes
from tests.services.batch_records import added, runner_of, wait_until, worked_off

NOW = datetime(2026, 11, 27, 9, 5, tzinfo=UTC)
NEVUS = [0.001, 0.99, 0.001, 0.001, 0.001, 0.004, 0.001, 0.001]
ALL_NO, ADULT = calmest(Metadata(age_approx=40))
CALM_WITHHELD = "Calm answers are withheld here at present, so the photo alone cannot calm."


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Where the switch of a test lies: a folder that is not there yet."""
    for name in (VARIABLE, "DERMASCAN_DATABASE_URL", "DERMASCAN_KEY", "DERMASCAN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    return read_places()


def turn(withheld, why="two melanomas were missed", user=LOCAL_USER):
    return set_withholding(user, withheld, why=why, now=NOW)


def screen(answers=ALL_NO, predictor=None, **options):
    return screen_lesion(
        [("mole.jpg", photo_bytes(fake_photo()))],
        metadata=ADULT,
        answers=answers,
        image_type=ImageType.DERMOSCOPIC,
        predictor=predictor or FakePredictor(fixed=NEVUS),
        **options,
    )


def test_nothing_is_withheld_and_nothing_is_made_where_nobody_touched_the_switch(places):
    assert read_withholding() == GIVEN
    assert GIVEN.words == ""
    assert check_switch(places) == []
    assert screen().next_step is NextStep.WATCH
    assert not places.folder.exists()


def test_withheld_calm_answer_becomes_a_routine_check_and_says_why():
    turn(Withheld.CALM)

    calm, urgent = screen(), screen(replace(ALL_NO, bleeding=True))

    assert (calm.next_step, calm.photos[0].next_step) == (NextStep.ROUTINE_CHECK, NextStep.ROUTINE_CHECK)
    assert calm.step_reasons == (CALM_WITHHELD,)
    assert calm.photos[0].status is Status.ANSWERED
    assert urgent.next_step is NextStep.SEE_DOCTOR


def test_stopped_answers_ask_no_network_and_leave_the_person_s_own_step():
    turn(Withheld.ALL)
    predictor = FakePredictor()

    plain = screen(predictor=predictor, n_refused_before=1)
    bleeding = screen(Answers(unstoppable_bleeding=True), predictor=predictor)

    assert predictor.n_calls == 0
    assert plain.photos[0].status is Status.REFUSED
    assert plain.photos[0].prediction is None
    assert plain.photos[0].reason.code == WITHHELD
    assert plain.photos[0].reason.sentence == (
        "The model's answers are stopped here, by local on 2026-11-27 09:05 UTC: two melanomas were missed. "
        "What your own answers ask for still stands, and a doctor can look at the spot itself."
    )
    assert plain.next_step is NextStep.NOT_ASSESSED  # no fault of the photo, so it is not given up after two
    assert bleeding.next_step is NextStep.EMERGENCY


def test_no_step_falls_when_answers_are_stopped():
    answers = [Answers(**{name: True}) for name in ("worried", "changing", "bleeding", "very_unwell", "under_nail")]
    given = [screen(one, FakePredictor(fixed=NEVUS)).next_step for one in answers]

    turn(Withheld.ALL)

    assert [screen(one).next_step for one in answers] == given


def test_switch_holds_until_somebody_turns_it_back_with_a_reason():
    turn(Withheld.ALL)

    given = turn(Withheld.NONE, "sixty new biopsies agree with the test.")

    assert screen().next_step is NextStep.WATCH
    assert read_withholding() == given
    assert (
        given.words
        == "All answers are given again, by local on 2026-11-27 09:05 UTC: sixty new biopsies agree with the test."
    )


def test_moles_are_not_ranked_while_answers_are_stopped():
    turn(Withheld.ALL)
    photos = [(f"{n}.jpg", photo_bytes(fake_photo(lesion=(120, 60 + n, 50)))) for n in range(3)]

    compared = compare_moles(photos, image_type=ImageType.DERMOSCOPIC, predictor=FakePredictor())

    assert compared.judged == ()
    assert {mole.photo.reason.code for mole in compared.not_judged} == {WITHHELD}


def test_no_explanation_is_made_while_answers_are_stopped():
    answered = screen(explain=True)
    turn(Withheld.ALL)

    with pytest.raises(AnswersWithheldError, match=r"^The model's answers are stopped here, by local on"):
        explain_further(answered, 0, "mel", predictor=FakePredictor())


def test_worker_withholds_what_the_asking_machine_does():
    asked = Withholding(Withheld.ALL, "anna", NOW, "two melanomas were missed")
    task = PhotoTask("a.jpg", photo_bytes(fake_photo()), Metadata(), Answers(), ImageType.DERMOSCOPIC, withheld=asked)

    here_given = screen_task(task, predictor=FakePredictor())
    turn(Withheld.ALL)
    here_stopped = screen_task(replace(task, withheld=GIVEN), predictor=FakePredictor())

    assert [one.photos[0].reason.code for one in (here_given, here_stopped)] == [WITHHELD, WITHHELD]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 9_000,
        b'{"withheld": "none"}',
        b'{"withheld": "maybe", "by": "a", "at": "2026-11-27T09:05:00+00:00", "why": "because"}',
        b'{"withheld": "none", "by": "a", "at": "2026-11-27T09:05:00", "why": "because"}',
        b'{"withheld": "none", "by": "a", "at": "2026-11-27T09:05:00+00:00", "why": "<b>because</b>"}',
        b'{"withheld": "none", "by": 7, "at": "2026-11-27T09:05:00+00:00", "why": "because"}',
        b"\xff\xfe\x00",
    ],
)
def test_damaged_switch_withholds_calm_answers_and_is_told(places, data):
    places.folder.mkdir()
    places.switch.write_bytes(data)

    assert screen().next_step is NextStep.ROUTINE_CHECK
    assert "is damaged. Set it anew: python -m dermascan_core answers --help" in read_withholding().words
    (check,) = check_switch(places)
    assert (check.name, check.is_well) == ("answers", False)
    assert "is damaged" in check.found


def test_switch_that_cannot_be_opened_withholds_calm_answers(places):
    places.switch.mkdir(parents=True)

    assert read_withholding().withheld is Withheld.CALM
    assert "cannot be opened" in read_withholding().words


def test_damaged_switch_can_be_set_anew(places):
    places.folder.mkdir()
    places.switch.write_bytes(b"{")

    turn(Withheld.NONE, "the file was damaged by a full disk")

    assert read_withholding().withheld is Withheld.NONE


@pytest.mark.parametrize(
    ("said", "withheld"),
    [("calm", "calm"), ("ALL ", "all"), ("none", "none"), ("", "none"), ("yes", "calm"), ("<b>", "calm")],
)
def test_environment_withholds_and_a_word_that_it_does_not_know_is_taken_carefully(said, withheld, monkeypatch):
    monkeypatch.setenv(VARIABLE, said)

    assert read_withholding().withheld == withheld
    assert "<" not in read_withholding().words


def test_stricter_of_environment_and_switch_counts(monkeypatch):
    monkeypatch.setenv(VARIABLE, "calm")
    assert read_withholding().words.startswith("Calm answers are withheld here, by whoever runs this program: ")

    turn(Withheld.ALL)
    assert read_withholding().withheld is Withheld.ALL

    turn(Withheld.NONE, "answers agree again")
    assert read_withholding().withheld is Withheld.CALM


@pytest.mark.parametrize("role", [Role.PUBLIC, Role.CLINICIAN])
def test_only_an_administrator_turns_the_switch(role):
    with pytest.raises(AccessError, match=r"^To turn the kill switch takes an administrator\. 'ben' is a "):
        turn(Withheld.ALL, user=User("ben", role))

    assert read_withholding() == GIVEN


@pytest.mark.parametrize("why", ["", "  x ", "y" * 201, "see [here](http://x)", "two\nlines"])
def test_turning_takes_a_reason_in_plain_words(why):
    with pytest.raises(RecordError, match=r"^Expected a reason"):
        turn(Withheld.ALL, why)

    assert read_withholding() == GIVEN


def test_every_turn_is_in_the_audit_trail_of_the_records(places):
    records = open_records()
    turn(Withheld.ALL)
    turn(Withheld.NONE, "answers agree again")

    with records.database.reading() as session:
        found = list(audit.entries(session, subjects=["model answers"]))
        assert audit.verify(session).problems == ()
    assert [(one.actor, one.action, one.detail) for one in found] == [
        ("local", "answers withheld", {"withheld": "all", "why": "two melanomas were missed"}),
        ("local", "answers given again", {"withheld": "none", "why": "answers agree again"}),
    ]
    assert [(check.is_well, check.found[:27]) for check in check_switch(places)] == [
        (True, "All answers are given again")
    ]


def test_trail_that_cannot_be_written_never_keeps_answers_from_being_stopped(places, monkeypatch):
    open_records().close()

    def fail(*arguments, **options):
        raise StorageError("The disk is full.")

    monkeypatch.setattr("dermascan_core.services.records.note", fail)
    with pytest.raises(StorageError, match=r"^The disk is full\.$"):
        turn(Withheld.ALL)
    assert read_withholding().withheld is Withheld.ALL

    with pytest.raises(StorageError, match=r"^The disk is full\.$"):
        turn(Withheld.NONE, "answers agree again")
    assert read_withholding().withheld is Withheld.ALL


def test_doctor_tells_a_switch_whose_file_was_lost(places):
    open_records().close()
    turn(Withheld.CALM)
    (on,) = check_switch(places)
    places.switch.unlink()

    (lost,) = check_switch(places)

    assert (on.is_well, on.found[:30]) == (True, "Calm answers are withheld here")
    assert not lost.is_well
    assert lost.found.startswith("the audit trail says that local withheld them on 2026-11-27, and '")
    assert lost.advice == "Say which holds: python -m dermascan_core answers --help"


class _Turning(FakePredictor):
    """Turns the switch while it answers its first photo."""

    def predict(self, *arguments, **options):
        if not self.n_calls:
            turn(Withheld.ALL)
        return super().predict(*arguments, **options)


def test_list_that_is_stopped_in_mid_work_leaves_no_photo_out_and_goes_on_after():
    records = open_records()
    batch_id = added(records, [f"P{n}_L1.jpg" for n in range(6)])
    runner = runner_of(records, _Turning(), n_workers=1)

    runner.start()
    wait_until(lambda: runner.problem.startswith("The model's answers are stopped here, by local on"))
    stopped = find_batch(records, batch_id)
    turn(Withheld.NONE, "answers agree again")
    runner.stop()
    worked_off(records, batch_id)

    assert (stopped.state, 0 < stopped.n_open <= 6) == ("waiting", True)
    done = find_batch(records, batch_id)
    assert (done.state, done.n_open, done.n_failed) == ("done", 0, 0)


def test_switch_says_who_when_and_why_on_the_disk(places):
    turn(Withheld.CALM)

    assert json.loads(places.switch.read_text(encoding="utf-8")) == {
        "withheld": "calm",
        "by": "local",
        "at": "2026-11-27T09:05:00+00:00",
        "why": "two melanomas were missed",
    }
    assert read_switch(places) == read_withholding()
