"""The kill switch from the command line: shown, turned, obeyed by ``screen`` and by lists, told by ``doctor``."""

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from dermascan_core.cli import app
from dermascan_core.services import models
from dermascan_core.services.records import open_records
from dermascan_core.services.withholding import VARIABLE, read_withholding
from tests.fakes import FakePredictor, fake_manifest, fake_photo, photo_bytes

WHY = "two melanomas were missed"


@pytest.fixture(autouse=True)
def predictor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePredictor:
    """The fake network, and a folder for the switch."""
    monkeypatch.setenv("DERMASCAN_RECORDS", str(tmp_path / "records"))
    for name in (VARIABLE, "DERMASCAN_DATABASE_URL", "DERMASCAN_KEY", "DERMASCAN_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    found = FakePredictor(manifest=fake_manifest(name=models.DEFAULT_MODEL))
    monkeypatch.setattr(models, "list_models", lambda weights_dir=None: [found.manifest])
    monkeypatch.setattr(models, "load_model_manifest", lambda name, weights_dir=None: found.manifest)
    monkeypatch.setattr(models, "load_predictor", lambda *names, **options: found)
    return found


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "P1_L1.jpg").write_bytes(photo_bytes(fake_photo()))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def test_switch_is_shown_turned_and_turned_back() -> None:
    assert run("answers", "show").stdout == "All answers are given.\n"

    assert run("answers", "withhold", "all", "--why", WHY).exit_code == 0
    assert run("answers", "show").stdout.startswith("The model's answers are stopped here, by local on ")

    assert run("answers", "give", "--why", "answers agree again").exit_code == 0
    assert run("answers", "show").stdout.startswith("All answers are given again, by local on ")


def test_switch_takes_a_reason_and_knows_two_words() -> None:
    assert run("answers", "withhold", "all").exit_code == 2
    assert run("answers", "withhold", "some", "--why", WHY).exit_code == 2
    short = run("answers", "withhold", "all", "--why", "x")

    assert (short.exit_code, short.stderr) == (
        1,
        "Error: Expected a reason of 3 to 200 characters, for whoever meets the switch later. Received 1.\n",
    )
    assert not read_withholding().bars_calm


def test_giving_again_tells_what_the_environment_still_withholds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "calm")

    done = run("answers", "give", "--why", "answers agree again")

    assert done.stderr.startswith("But still: Calm answers are withheld here, by whoever runs this program: ")


def test_screen_answers_nothing_and_says_why(photo: Path, predictor: FakePredictor) -> None:
    run("answers", "withhold", "all", "--why", WHY)

    done = run("screen", str(photo))

    assert done.exit_code == 0
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert (row["status"], row["p_mel"], row["next_step"]) == ("refused", "", "not_assessed")
    assert row["reason"].startswith("answers_withheld: The model's answers are stopped here, by local on ")
    assert "The model's answers are stopped here, by local on " in done.stderr
    assert predictor.n_calls == 0


def test_list_waits_while_answers_are_stopped_and_goes_on_after(photo: Path) -> None:
    open_records().close()
    run("worklist", "add", str(photo), "--keep-until", "2199-12-31", "--agree", "--name", "Monday")
    run("answers", "withhold", "all", "--why", WHY)

    stopped = run("worklist", "run")
    assert (stopped.exit_code, stopped.stderr[:43]) == (1, "Error: The model's answers are stopped here")
    assert "waiting  0 of 1" in run("worklist", "list").stdout

    run("answers", "give", "--why", "answers agree again")
    assert run("worklist", "run").exit_code == 0
    assert "done  1 of 1" in run("worklist", "list").stdout


def test_check_says_that_nothing_changed_where_no_outcome_is_known() -> None:
    open_records().close()

    assert run("answers", "check").stdout == "All answers are given.\n"
    run("answers", "withhold", "calm", "--why", WHY)
    assert run("answers", "check").stdout.startswith("Calm answers are withheld here, by local on ")


def test_doctor_says_that_answers_are_withheld() -> None:
    run("answers", "withhold", "calm", "--why", WHY)

    assert "Calm answers are withheld here, by local on " in run("doctor").stdout
