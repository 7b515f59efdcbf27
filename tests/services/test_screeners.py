"""Photos answered several at once: in order, a bounded number ahead, and nothing begun after somebody stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import pytest
from threadpoolctl import threadpool_info

from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.errors import OutputError
from dermascan_core.native_threads import one_thread_each
from dermascan_core.services import screening
from dermascan_core.services.batch import screen_each, screen_files
from dermascan_core.services.screeners import PhotoTask, ThreadScreener, in_order
from tests.fakes import FakePredictor, fake_photo, photo_bytes

PHOTO = photo_bytes(fake_photo(width=300, height=225))


def task(name: str) -> PhotoTask:
    return PhotoTask(name, PHOTO, Metadata(), Answers(), ImageType.DERMOSCOPIC)


class MeetingPredictor(FakePredictor):
    """Answers only when two photos are asked about at the same time."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(2)

    def predict(self, *arguments, **options):
        self.meeting.wait(timeout=60)
        return super().predict(*arguments, **options)


def test_two_photos_are_answered_at_once():
    screener = ThreadScreener(MeetingPredictor(), n_workers=2)

    screenings = list(screener.screen([task("a"), task("b"), task("c"), task("d")]))

    assert [one.photos[0].name for one in screenings] == ["a", "b", "c", "d"]


def test_results_keep_the_order_of_the_items_when_the_first_takes_longest():
    def work(seconds: float) -> float:
        time.sleep(seconds)
        return seconds

    with ThreadPoolExecutor(4) as pool:
        results = list(in_order(partial(pool.submit, work), [0.2, 0.1, 0.0, 0.05], n_ahead=lambda: 4))

    assert results == [0.2, 0.1, 0.0, 0.05]


@pytest.mark.parametrize("n_ahead", [1, 3])
def test_no_more_than_the_window_is_taken_ahead_of_what_was_given(n_ahead: int):
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(20):
            taken.append(item)
            yield item

    with ThreadPoolExecutor(8) as pool:
        for n_given, _ in enumerate(in_order(partial(pool.submit, str), items(), n_ahead=lambda: n_ahead)):
            assert len(taken) <= n_given + n_ahead

    assert taken == list(range(20))


def test_whoever_stops_leaves_the_rest_undone():
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        time.sleep(0.05)
        return item

    with ThreadPoolExecutor(1) as pool:
        results = in_order(partial(pool.submit, work), range(100), n_ahead=lambda: 50)
        first = next(results)
        results.close()

    assert first == 0
    assert len(begun) < 5


def test_a_bug_in_one_photo_comes_out_where_the_photo_stands():
    def work(item: int) -> int:
        if item == 2:
            raise ZeroDivisionError
        return item

    given: list[int] = []
    with ThreadPoolExecutor(3) as pool, pytest.raises(ZeroDivisionError):
        given.extend(in_order(partial(pool.submit, work), range(9), n_ahead=lambda: 6))

    assert given == [0, 1]


def test_full_disk_ends_a_batch_without_answering_the_rest(tmp_path: Path):
    files = [tmp_path / f"{number:03}.jpg" for number in range(300)]
    for file in files:
        file.write_bytes(PHOTO)
    predictor = FakePredictor()

    def fail(n_done: int, *_: object) -> None:
        raise OutputError("full")

    with pytest.raises(OutputError):
        screen_files(files, predictor=ThreadScreener(predictor, n_workers=2), on_progress=fail)

    assert predictor.n_calls < 20


def test_libraries_use_one_thread_while_a_batch_runs_and_their_own_number_after():
    before = cv2.getNumThreads(), [one["num_threads"] for one in threadpool_info()]

    with one_thread_each():
        within = cv2.getNumThreads(), {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    assert within == (1, {1})
    assert (cv2.getNumThreads(), [one["num_threads"] for one in threadpool_info()]) == before


def test_rate_counts_the_photos_of_this_run_alone(tmp_path: Path):
    files = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for file in files:
        file.write_bytes(PHOTO)
    out = tmp_path / "out.csv"
    first = screen_files(files[:1], predictor=FakePredictor(), out=out)

    second = screen_files(files, predictor=FakePredictor(), out=out, resume=True)
    third = screen_files(files, predictor=FakePredictor(), out=out, resume=True)

    assert first.photos_per_s == pytest.approx(1 / first.elapsed_s)
    assert second.photos_per_s == pytest.approx(1 / second.elapsed_s)
    assert third.photos_per_s is None


def test_each_photo_of_the_triage_page_is_answered_once():
    predictor = FakePredictor()

    items = list(screen_each([(f"{number}", PHOTO) for number in range(12)], predictor=predictor))

    assert [item.name for item in items] == [f"{number}" for number in range(12)]
    assert predictor.n_calls == 12


def test_no_similar_photos_are_looked_for_where_a_row_cannot_show_them(monkeypatch: pytest.MonkeyPatch):
    asked = []
    monkeypatch.setattr(screening, "find_similar", lambda *asked_for: asked.append(asked_for) or ())

    (in_batch,) = screen_each([("a", PHOTO)], predictor=FakePredictor())
    alone = screening.screen_lesion(
        [("a", PHOTO)],
        metadata=Metadata(),
        answers=Answers(),
        image_type=ImageType.DERMOSCOPIC,
        predictor=FakePredictor(),
    )

    assert len(asked) == 1
    assert in_batch.screening.photos[0].prediction.p_malignant == alone.photos[0].prediction.p_malignant
