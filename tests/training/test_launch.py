"""Processes that work together on this computer: what comes back, and that none is left when one is lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dermascan_core.errors import OutputError, TrainingError
from dermascan_core.training import launch
from dermascan_core.training.launch import local_places, refuse_loopback_name, require_jax, run_together
from tests.contract.tree import ROOT

WHAT_TO_DO = "The others were stopped. Start all again with --resume."


# What the processes do. Each is a process of its own, so these must be importable.
def say_place(place):
    return place.rank, place.size, os.environ["KERAS_BACKEND"]


def fill_the_disk(place):
    if place.rank == 1:
        raise OutputError("The disk is full.")
    time.sleep(300)


def be_killed(place):
    if place.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(300)


def be_aborted(place):
    if place.rank == 1:
        os.abort()
    time.sleep(300)


def miss_a_killed_one(place):
    if place.rank == 1:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    raise ValueError("UNKNOWN: Gloo AllGather failed: Connection reset by peer\nand more")


def miss_one_elsewhere(place):
    raise ValueError("UNKNOWN: Gloo AllGather failed: Connection reset by peer\nand more")


def make_a_mistake(place):
    if place.rank == 1:
        raise KeyError("no such thing")
    time.sleep(300)


def note_and_wait(place, *, folder):
    (folder / f"{place.rank}.partial").write_text(str(os.getpid()))
    (folder / f"{place.rank}.partial").rename(folder / f"{place.rank}.pid")
    time.sleep(300)


def test_each_process_gets_its_place_and_the_first_one_s_result_comes_back():
    assert run_together(say_place, local_places(2)) == (0, 2, "jax")
    assert run_together(say_place, local_places(2)[1:]) == (1, 2, "jax")
    assert "KERAS_BACKEND" not in os.environ


def test_a_backend_that_was_chosen_stays_chosen(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")

    assert run_together(say_place, local_places(1)) == (0, 1, "torch")


@pytest.mark.parametrize(
    ("work", "sentence"),
    [
        (fill_the_disk, "The disk is full."),
        (be_killed, f"Process 1 of 2 was ended by signal 9. {WHAT_TO_DO}"),
        (
            be_aborted,
            "Process 1 of 2 was ended by JAX: another one did not come within five minutes, or was lost. " + WHAT_TO_DO,
        ),
        (miss_a_killed_one, f"Process 1 of 2 was ended by signal 9. {WHAT_TO_DO}"),
    ],
)
def test_what_ends_one_process_is_one_sentence_and_ends_the_others(work, sentence):
    started = time.monotonic()

    with pytest.raises(TrainingError) as error:
        run_together(work, local_places(2))

    assert str(error.value) == sentence
    assert time.monotonic() - started < 60  # the other one would sleep for 300 s


def test_a_process_that_lost_one_on_another_computer_says_so():
    with pytest.raises(TrainingError) as error:
        run_together(miss_one_elsewhere, local_places(2)[:1])

    assert str(error.value) == (
        "Process 0 of 2 lost another one (UNKNOWN: Gloo AllGather failed: Connection reset by peer). " + WHAT_TO_DO
    )


def test_a_mistake_in_a_process_keeps_its_traceback(capfd):
    with pytest.raises(TrainingError) as error:
        run_together(make_a_mistake, local_places(2))

    assert str(error.value) == f"Process 1 of 2 failed; see above. {WHAT_TO_DO}"
    assert "KeyError: 'no such thing'" in capfd.readouterr().err


WATCHING = """
import signal
import sys
from functools import partial
from pathlib import Path
from dermascan_core.training.launch import local_places, run_together
from tests.training.test_launch import note_and_wait

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests begun with a shell's & ignore it
    run_together(partial(note_and_wait, folder=Path(sys.argv[1])), local_places(2))
"""


@pytest.mark.parametrize(
    ("number", "to_group"), [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGINT, True)]
)
def test_no_process_outlives_the_one_that_watches(tmp_path, number, to_group):
    script = tmp_path / "watching.py"
    script.write_text(WATCHING)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    watching = subprocess.Popen(
        [sys.executable, script, tmp_path], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    _wait_until(lambda: all((tmp_path / f"{rank}.pid").is_file() for rank in (0, 1)))
    working = [int((tmp_path / f"{rank}.pid").read_text()) for rank in (0, 1)]

    (os.killpg if to_group else os.kill)(watching.pid, number)  # a terminal's Ctrl+C reaches the whole group
    watching.wait()

    _wait_until(lambda: not any(_is_running(pid) for pid in working))


def _is_running(pid):
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _wait_until(is_so):
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_without_jax_the_way_to_install_it_is_said(monkeypatch):
    monkeypatch.setattr(launch, "find_spec", lambda name: None)

    with pytest.raises(TrainingError) as error:
        require_jax()

    assert str(error.value) == (
        "Expected JAX, which connects processes that train together. It is not installed. "
        "Install it with: pip install -r requirements-parallel.txt"
    )


def test_processes_of_one_computer_meet_at_a_port_of_it_alone():
    places = local_places(3)

    assert [place.rank for place in places] == [0, 1, 2]
    assert {place.coordinator.partition(":")[0] for place in places} == {"127.0.0.1"}
    assert len({place.coordinator for place in places}) == 1
    assert all(place.is_local for place in places)


@pytest.mark.parametrize("address", ["127.0.1.1", None])
def test_a_name_that_leads_other_computers_nowhere_is_refused(monkeypatch, address):
    def look_up(name):
        if address is None:
            raise OSError("Name or service not known")
        return address

    monkeypatch.setattr(launch.socket, "gethostname", lambda: "lab")
    monkeypatch.setattr(launch.socket, "gethostbyname", look_up)

    with pytest.raises(TrainingError) as error:
        refuse_loopback_name()

    assert str(error.value) == (
        f"Expected this computer's name, lab, to lead to an address that the others reach. It is {address or 'unknown'}. "
        "Name the right one in /etc/hosts on this computer, such as '10.0.0.1 lab', before any other line of it."
    )


def test_a_name_that_others_reach_is_fine(monkeypatch):
    monkeypatch.setattr(launch.socket, "gethostbyname", lambda name: "10.0.0.1")

    refuse_loopback_name()
