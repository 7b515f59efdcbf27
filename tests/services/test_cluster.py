"""A real cluster on this computer: a scheduler and workers as processes, one of them killed while it answers."""

from __future__ import annotations

import csv
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.errors import ClusterError, OutputError
from dermascan_core.imaging.decode import MAX_SIZE_BYTES
from dermascan_core.services import cluster, models
from dermascan_core.services.batch import find_photo_files, read_metadata_table, screen_files
from dermascan_core.services.cluster import ModelOnWorkers, connect
from dermascan_core.services.engine_export import export_engine
from dermascan_core.services.screeners import PhotoTask
from tests.fakes import fake_photo, photo_bytes
from tests.local_cluster import LocalCluster
from tests.small_network import release_small_network

N_PHOTOS = 60


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    release_small_network(folder)
    export_engine("small", format="litert", weights_dir=folder)
    return folder


@pytest.fixture(scope="module")
def running(tmp_path_factory, weights) -> Iterator[LocalCluster]:
    """A scheduler with two workers."""
    started = LocalCluster(tmp_path_factory.mktemp("cluster"), weights)
    try:
        started.add_worker()
        started.add_worker()
        started.wait_for_workers(2)
        yield started
    finally:
        started.stop()


@pytest.fixture
def bare(tmp_path, weights) -> Iterator[LocalCluster]:
    """A scheduler that a test gives workers of its own."""
    started = LocalCluster(tmp_path, weights)
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(autouse=True)
def _weights_of_the_small_network(monkeypatch, weights):
    monkeypatch.setattr(models, "WEIGHTS_DIR", weights)


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> list[Path]:
    """Photos of which each answer differs, one that is broken, and one that is too large."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(N_PHOTOS):
        data = photo_bytes(fake_photo(width=300, height=225, lesion=(60 + 2 * number, 60, 50)))
        (folder / f"{number:03}.jpg").write_bytes(data)
    (folder / "005.jpg").write_bytes(b"broken")
    with (folder / "007.jpg").open("wb") as file:
        file.truncate(MAX_SIZE_BYTES + 1)
    return find_photo_files([folder])[0]


@pytest.fixture(scope="module")
def expected(photos, weights, tmp_path_factory) -> list[dict[str, str]]:
    """What this computer answers by itself."""
    out = tmp_path_factory.mktemp("alone") / "out.csv"
    screen_files(photos, predictor=models.load_predictor("small", "litert", weights_dir=weights), out=out)
    return rows_of(out)


def rows_of(out: Path) -> list[dict[str, str]]:
    with out.open(encoding="utf-8", newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "elapsed_ms"} for row in csv.DictReader(file)]


def screen_on(started: LocalCluster, files: list[Path], out: Path, **options):
    said: list[str] = []
    with connect(started.address, model="small", engine="litert", say=said.append) as screener:
        summary = screen_files(files, predictor=screener, out=out, **options)
    return summary, said


def test_cluster_gives_the_rows_that_one_computer_gives(running, photos, expected, tmp_path):
    summary, said = screen_on(running, photos, tmp_path / "out.csv")

    assert rows_of(tmp_path / "out.csv") == expected
    assert summary.n_photos == N_PHOTOS
    assert said == ["The cluster answers with 2 workers of 2 threads in all."]


def test_worker_killed_in_mid_job_loses_no_photo_and_doubles_none(bare, photos, expected, tmp_path):
    victim = bare.add_worker()
    bare.add_worker()
    bare.wait_for_workers(2)

    def kill(n_done: int, *_: object) -> None:
        if n_done == 10:
            victim.send_signal(signal.SIGKILL)
            victim.wait()

    screen_on(bare, photos, tmp_path / "out.csv", on_progress=kill)

    assert victim.returncode == -signal.SIGKILL
    assert rows_of(tmp_path / "out.csv") == expected


def test_interrupted_job_goes_on_by_resume(running, photos, expected, tmp_path):
    out = tmp_path / "out.csv"

    def stop(n_done: int, *_: object) -> None:
        if n_done == 12:
            raise OutputError("enough")

    with pytest.raises(OutputError):
        screen_on(running, photos, out, on_progress=stop)
    with out.open("ab") as file:
        file.write(b"torn li")
    summary, _ = screen_on(running, photos, out, resume=True)

    assert summary.n_resumed == 12
    assert rows_of(out) == expected


@pytest.mark.parametrize("what", ["no file", "another file"])
def test_photos_travel_as_bytes_where_the_workers_do_not_see_them(
    running, photos, expected, tmp_path, monkeypatch, what
):
    elsewhere = tmp_path / "elsewhere.jpg"
    if what == "another file":
        elsewhere.write_bytes(b"not this one")
    prepare = cluster._prepare

    def prepare_for_blind_workers(task, *, sends_bytes):
        prepared, size_bytes = prepare(task, sends_bytes=sends_bytes)
        return (replace(prepared, source=elsewhere) if isinstance(prepared.source, Path) else prepared), size_bytes

    monkeypatch.setattr(cluster, "_prepare", prepare_for_blind_workers)

    _, said = screen_on(running, photos, tmp_path / "out.csv")

    assert rows_of(tmp_path / "out.csv") == expected
    assert said[1:] == ["The workers do not see these files at the same path: photos are sent to them."]


def test_photo_that_vanished_is_refused_with_the_reason_that_holds_here(running, photos, tmp_path):
    out = tmp_path / "out.csv"

    screen_on(running, [tmp_path / "gone.jpg", photos[0]], out)

    assert [row["status"] for row in rows_of(out)] == ["refused", "answered"]
    assert rows_of(out)[0]["reason"] == (
        f"unreadable: Expected a readable photo at '{tmp_path / 'gone.jpg'}'. It is missing, or may not be opened. "
        "Check the path."
    )


def test_metadata_reaches_the_workers(running, photos, tmp_path, weights):
    table = read_metadata_table(b"image,age,sex\n000.jpg,83,male\n001.jpg,999,male\n")
    out, alone = tmp_path / "out.csv", tmp_path / "alone.csv"

    summary, _ = screen_on(running, photos[:2], out, metadata=table)

    screen_files(photos[:2], predictor=models.load_predictor("small", "litert"), out=alone, metadata=table)
    assert rows_of(out) == rows_of(alone)
    assert len(summary.metadata_errors) == 1


def test_scheduler_that_does_not_answer_is_one_sentence():
    with pytest.raises(ClusterError) as caught, connect("tcp://127.0.0.1:1", model="small", timeout_s=1):
        pass

    assert str(caught.value) == (
        "Expected a Dask scheduler at 'tcp://127.0.0.1:1'. None answered within 1 s. "
        "Start one (docs/scale.md), or correct the address."
    )


@pytest.mark.parametrize("address", ["nonsense://x", "not an address", ""])
def test_address_that_is_none_is_the_same_sentence(address):
    with (
        pytest.raises(ClusterError, match=r"^Expected a Dask scheduler at"),
        connect(address, model="small", timeout_s=1),
    ):
        pass


def test_scheduler_without_workers_is_one_sentence(bare):
    with pytest.raises(ClusterError) as caught, connect(bare.address, model="small", timeout_s=1):
        pass

    assert str(caught.value) == (
        f"Expected a worker at the scheduler '{bare.address}'. There is none. Start one (docs/scale.md)."
    )


def test_worker_with_other_weights_does_not_answer(running, weights, tmp_path, monkeypatch):
    own = shutil.copytree(weights, tmp_path / "weights")
    manifest = (own / "small.json").read_text()
    sha256 = models.load_model_manifest("small", own).sha256
    (own / "small.json").write_text(manifest.replace(sha256, "f" * 64))
    monkeypatch.setattr(models, "WEIGHTS_DIR", own)

    with pytest.raises(ClusterError) as caught, connect(running.address, model="small", engine="litert"):
        pass

    assert str(caught.value).startswith("Expected 'small' with sha256 ffffffffffff and DermaScan ")
    assert f"Found sha256 {sha256[:12]} and DermaScan " in str(caught.value)


def test_engine_that_a_worker_cannot_have_is_said_with_its_reason(running):
    with pytest.raises(ClusterError) as caught, connect(running.address, model="small", engine="abacus"):
        pass

    assert str(caught.value).startswith("The worker on ")
    assert "Expected one of the engines of 'small': keras, litert. Received 'abacus'." in str(caught.value)


def test_last_worker_that_leaves_ends_the_job_with_what_to_do(bare, photos, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "NO_WORKER_TIMEOUT_S", 0.5)
    monkeypatch.setattr(cluster, "_POLL_S", 0.1)
    only, out = bare.add_worker(), tmp_path / "out.csv"
    bare.wait_for_workers(1)

    def kill(n_done: int, *_: object) -> None:
        if n_done == 3:
            only.kill()

    with pytest.raises(ClusterError) as caught:
        screen_on(bare, photos, out, on_progress=kill)

    assert str(caught.value).endswith(
        "The last one left the cluster, and none came for 0 s. Lines already written are kept; go on with --resume."
    )
    assert 3 <= len(rows_of(out)) < N_PHOTOS


def test_scheduler_that_dies_ends_the_job_with_what_to_do(bare, photos, tmp_path):
    bare.add_worker()
    bare.wait_for_workers(1)

    def kill(n_done: int, *_: object) -> None:
        if n_done == 3:
            bare.processes[0].kill()

    with pytest.raises(ClusterError, match="go on with --resume"):
        screen_on(bare, photos, tmp_path / "out.csv", on_progress=kill)


def test_missing_packages_are_one_sentence(monkeypatch):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)

    with pytest.raises(ClusterError) as caught, connect("tcp://127.0.0.1:8786", model="small"):
        pass

    assert str(caught.value) == (
        "A cluster needs the packages dask and distributed. They are not installed. "
        "Use: pip install -r requirements-cluster.txt"
    )


def test_command_screens_on_a_cluster(running, photos, expected, tmp_path):
    arguments = ["screen", photos[0].parent, "--engine-cluster", running.address, "--model", "small"]
    out = tmp_path / "out.csv"

    result = CliRunner().invoke(cli.app, [str(a) for a in [*arguments, "--engine", "litert", "--out", out]])

    assert result.exit_code == 0, result.stderr
    assert "The cluster answers with 2 workers of 2 threads in all." in result.stderr
    assert rows_of(out) == expected


def test_photo_travels_by_path_with_its_size_or_as_the_reason_why_not(photos):
    def task(file: Path) -> PhotoTask:
        return PhotoTask(file.name, file, Metadata(), Answers(), ImageType.DERMOSCOPIC)

    by_path, as_bytes = (cluster._prepare(task(photos[0]), sends_bytes=sends) for sends in (False, True))
    too_large = cluster._prepare(task(photos[7]), sends_bytes=False)[0]

    assert by_path == (task(photos[0]), photos[0].stat().st_size)
    assert as_bytes == (replace(task(photos[0]), source=photos[0].read_bytes()), photos[0].stat().st_size)
    assert str(too_large.source).startswith("The file may have at most 30 MB.")


def test_other_versions_are_not_wanted():
    assert ModelOnWorkers("a", "0", app_version="1") != ModelOnWorkers("a", "0", app_version="2")


def test_photo_that_ends_every_worker_is_named():
    from distributed import KilledWorker

    class Poisoned:
        def result(self, timeout: float) -> None:
            raise KilledWorker("task", "worker", 3)

    with pytest.raises(ClusterError) as caught:
        cluster.ClusterScreener(None, None, ModelOnWorkers("a", "0")).wait(Poisoned(), "poison.jpg")

    assert str(caught.value) == (
        "Expected an answer about 'poison.jpg'. Every worker that was given it ended. Look at the workers' logs, or leave "
        "that photo out. Lines already written are kept; go on with --resume."
    )
