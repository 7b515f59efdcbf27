"""Batches on disk: whole or not there, one owner's alone, and gone on with after a kill."""

import json
import shutil
import threading
from datetime import UTC, datetime, timedelta

import pytest

from dermascan_core.errors import OutputError, QueueFullError, ServeError
from dermascan_core.metadata import ImageType
from dermascan_core.services.batch_jobs import JobState, JobStore, photo_file
from dermascan_core.services.job_runner import JobRunner
from dermascan_core.services.queueing import WorkQueue
from tests.api.conftest import DARK, PHOTO, wait_until
from tests.fakes import FakePredictor, fake_manifest


def add_job(store, photos, *, owner="a", names=None, table=None):
    with store.incoming() as folder:
        for number, data in enumerate(photos):
            photo_file(folder, number).write_bytes(data)
        if table is not None:
            (folder / "metadata.csv").write_bytes(table)
        names = names or [f"{number}.jpg" for number in range(len(photos))]
        return store.accept(folder, owner=owner, names=names, image_type=ImageType.DERMOSCOPIC, repeat=False)


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "batches")


class Runners:
    """Starts runners as a process would, and stops them."""

    def __init__(self):
        self.started = []

    def start(self, store, predictor=None, **options):
        queue = WorkQueue()
        runner = JobRunner(store, queue, lambda: predictor or FakePredictor(), keep_days=7, **options)
        runner.start()
        self.started.append((runner, queue))
        return runner

    def stop(self):
        for runner, queue in self.started:
            runner.stop()
            queue.close()
        self.started.clear()


@pytest.fixture
def runners():
    runners = Runners()
    yield runners
    runners.stop()


class GatedPredictor(FakePredictor):
    """Answers only while it may."""

    def __init__(self, *, n_free=0, **options):
        super().__init__(**options)
        self.free = threading.Semaphore(n_free)

    def predict(self, *arguments, **options):
        assert self.free.acquire(timeout=20)
        return super().predict(*arguments, **options)


def lines_of(store, job):
    return [json.loads(line) for line in store.path(job, "results.jsonl").read_text().splitlines()]


def is_over(store, job):
    return store.find(job.id, job.owner).state.is_over


def test_job_is_worked_off_and_its_lines_carry_the_given_names(store, runners):
    job = add_job(
        store, [PHOTO, b"broken", DARK], names=["../a.jpg", "b.jpg", "a.jpg"], table=b"image,age\nb,61\nz,3\n"
    )

    runners.start(store)
    wait_until(lambda: is_over(store, job))

    job = store.find(job.id, "a")
    assert (job.state, job.statuses, job.error) == (JobState.DONE, {"answered": 2, "refused": 1}, None)
    assert [line["image"] for line in lines_of(store, job)] == ["../a.jpg", "b.jpg", "a.jpg"]
    assert job.notes == ("No photo is named 'z', as a row of the table is.",)


def test_job_that_a_kill_stopped_goes_on_where_it_stood(store, runners):
    job = add_job(store, [PHOTO] * 4)
    first = GatedPredictor(n_free=2)
    runners.start(store, first)
    wait_until(lambda: store.n_lines(job) == 2)
    # What a kill leaves, perhaps with half a line, and another process then opens.
    other = JobStore(store.folder.parent / "copy")
    shutil.copytree(store.folder / job.id, other.folder / job.id)
    before = other.path(job, "results.jsonl").read_bytes()
    other.path(job, "results.jsonl").write_bytes(before + b'{"image": "2.jp')
    first.free.release(10)

    second = FakePredictor()
    runners.start(other, second)
    wait_until(lambda: is_over(other, job))

    assert second.n_calls == 2
    assert other.path(job, "results.jsonl").read_bytes().startswith(before)
    assert [line["image"] for line in lines_of(other, job)] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]


def test_job_begins_again_where_the_model_has_changed(store, runners):
    job = add_job(store, [PHOTO] * 3)
    first = GatedPredictor(n_free=1)
    runners.start(store, first)
    wait_until(lambda: store.n_lines(job) == 1)
    threading.Timer(0.2, lambda: first.free.release(1)).start()
    runners.stop()

    runners.start(store, FakePredictor(manifest=fake_manifest(sha256="1" * 64)))
    wait_until(lambda: is_over(store, job))

    assert [line["model_sha256"] for line in lines_of(store, job)] == ["1" * 64] * 3


def test_batch_at_whose_photo_every_process_dies_is_given_up_and_the_next_goes_on(store, runners):
    deadly, harmless = add_job(store, [PHOTO, DARK]), add_job(store, [PHOTO])
    # What three processes leave that died at the first photo.
    store.update(deadly, state=JobState.RUNNING, model_sha256="0" * 64, n_lines_at_start=0, n_vain_starts=2)

    runners.start(store)
    wait_until(lambda: is_over(store, harmless))

    assert store.find(deadly.id, "a").state is JobState.FAILED
    assert store.find(deadly.id, "a").error == (
        "The server ended 3 times at photo 1 of this batch. Send the batch without that photo."
    )
    assert store.find(harmless.id, "a").state is JobState.DONE


def test_stopping_leaves_the_job_to_the_next_start(store, runners):
    job = add_job(store, [PHOTO] * 3)
    predictor = GatedPredictor(n_free=1)
    runner = runners.start(store, predictor)
    wait_until(lambda: store.n_lines(job) == 1)

    threading.Timer(0.2, lambda: predictor.free.release(1)).start()
    runner.stop()

    assert store.find(job.id, "a").state is JobState.RUNNING
    assert store.n_lines(job) == 2


def test_cancelled_job_stops_after_its_photo_and_leaves_nothing(store, runners):
    job, next_one = add_job(store, [PHOTO] * 3), add_job(store, [PHOTO])
    predictor = GatedPredictor(n_free=1)
    runner = runners.start(store, predictor)
    wait_until(lambda: store.n_lines(job) == 1)

    runner.cancel(job)
    predictor.free.release(2)
    wait_until(lambda: is_over(store, next_one))

    assert store.find(job.id, "a") is None
    assert [path.name for path in store.folder.iterdir()] == [next_one.id]
    assert predictor.n_calls <= 3  # the photo that had begun, and the next job's: no other


def test_progress_says_how_far_and_how_long(store, runners):
    job = add_job(store, [PHOTO] * 4)
    predictor, times = GatedPredictor(n_free=2), iter([100.0, 110.0, 120.0, 120.0, 120.0])
    runner = runners.start(store, predictor, clock=lambda: next(times))
    wait_until(lambda: runner.progress(job).n_done == 2)

    assert runner.progress(job).eta_s == 20.0

    predictor.free.release(2)
    wait_until(lambda: is_over(store, job))
    assert runner.progress(store.find(job.id, "a")).eta_s == 0.0


def test_clock_that_goes_backwards_promises_nothing_impossible(store, runners):
    job = add_job(store, [PHOTO] * 2)
    predictor, times = GatedPredictor(n_free=1), iter([100.0, 10.0, 5.0])
    runner = runners.start(store, predictor, clock=lambda: next(times))
    wait_until(lambda: runner.progress(job).eta_s is not None)

    assert runner.progress(job).eta_s == 0.0
    predictor.free.release(1)
    wait_until(lambda: is_over(store, job))


def test_error_nobody_foresaw_fails_its_job_and_the_next_goes_on(store, runners):
    class Stumbling(FakePredictor):
        def predict(self, *arguments, **options):
            if not self.n_calls:
                self.n_calls = 1
                raise ZeroDivisionError
            return super().predict(*arguments, **options)

    told = []
    first, second = add_job(store, [PHOTO]), add_job(store, [PHOTO])

    runners.start(store, Stumbling(), on_unforeseen=told.append)
    wait_until(lambda: is_over(store, second))

    assert store.find(first.id, "a").error == (
        "Something unexpected went wrong with this batch. The server's log says where. Send it again, or in parts."
    )
    assert store.find(second.id, "a").state is JobState.DONE
    assert [type(error) for error in told] == [ZeroDivisionError]


def test_job_of_another_owner_is_as_good_as_none(store):
    job = add_job(store, [PHOTO], owner="a")

    assert store.find(job.id, "b") is None
    assert store.jobs("b") == []
    assert store.find(job.id, "a") == job


@pytest.mark.parametrize("job_id", ["", ".", "..", "../batches", "a" * 32, "/etc/passwd", "incoming-0123456789abcdef"])
def test_id_that_is_none_finds_nothing(store, job_id):
    assert store.find(job_id, "a") is None


def test_upload_that_breaks_off_leaves_nothing(store):
    def break_off():
        with store.incoming() as folder:
            photo_file(folder, 0).write_bytes(PHOTO)
            raise ValueError("torn")

    with pytest.raises(ValueError, match=r"^torn$"):
        break_off()

    assert list(store.folder.iterdir()) == []


def test_what_a_kill_left_of_an_upload_is_removed_at_the_next_start(store):
    (store.folder / "incoming-0123").mkdir()
    (store.folder / "leaving-0123").mkdir()
    job = add_job(store, [PHOTO])

    other = JobStore(store.folder)
    other.claim()
    other.release()

    assert sorted(path.name for path in store.folder.iterdir()) == sorted([job.id, ".lock"])


def test_two_servers_never_work_in_one_folder(store):
    store.claim()
    other = JobStore(store.folder)

    with pytest.raises(ServeError) as caught:
        other.claim()
    store.release()
    other.claim()

    assert str(caught.value) == (
        f"Expected the folder '{store.folder}' for this server alone. Another server works in it. "
        "Stop that one, or choose another folder with --data."
    )
    other.release()


def test_nearly_full_disk_takes_no_batch(store, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**12, 10**12, 5 * 10**8))

    with pytest.raises(OutputError) as caught:
        store.check_room("a")

    assert str(caught.value) == (
        "Expected 2 GB free on the server's disk. There is 0.5 GB. Remove batches that are done, or free the disk."
    )


def test_too_many_open_batches_are_refused(tmp_path):
    store = JobStore(tmp_path, max_open=1)
    add_job(store, [PHOTO], owner="a")
    add_job(store, [PHOTO], owner="b")

    with pytest.raises(QueueFullError) as caught:
        add_job(store, [PHOTO], owner="a")

    assert str(caught.value) == (
        "Expected at most 1 batches that wait or run. There are 1. Wait for one of them, or remove one."
    )


def test_finished_batch_is_removed_after_its_days_and_not_by_a_clock_that_goes_back(tmp_path):
    now = [datetime(2026, 1, 10, tzinfo=UTC)]
    store = JobStore(tmp_path, now=lambda: now[0])
    done = store.update(add_job(store, [PHOTO]), state=JobState.DONE)
    waiting = add_job(store, [PHOTO])

    now[0] -= timedelta(days=3000)
    assert store.remove_old(7) == 0
    now[0] += timedelta(days=3007, hours=-1)
    assert store.remove_old(7) == 0
    now[0] += timedelta(hours=2)
    assert store.remove_old(7) == 1

    assert [job.id for job in store.jobs()] == [waiting.id]
    assert not (tmp_path / done.id).exists()


def test_folder_belongs_to_its_owner_alone(store):
    job = add_job(store, [PHOTO])

    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert (store.folder / job.id).stat().st_mode & 0o777 == 0o700


def test_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(
        OutputError, match=r"^Expected a folder for batches at '.*file/batches' that may be written: Not a"
    ):
        JobStore(tmp_path / "file" / "batches")
