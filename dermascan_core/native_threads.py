"""Keeps NumPy's and OpenCV's own threads from competing with ours, while many photos are worked on at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import cv2
from threadpoolctl import threadpool_limits


def hold_blas_to_one_thread() -> None:
    """From now on, in the whole process, let NumPy's linear algebra use the calling thread alone.

    For processes that answer photos: beside an engine with a thread a core, a second thread of BLAS has next to nothing to do,
    and spins for 33 ms a photo, waiting for more: an answer takes about twice as long.
    """
    threadpool_limits(limits=1, user_api="blas")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let each call of NumPy's linear algebra and of OpenCV use the calling thread alone, in the whole process.

    Their matrices are small here: a second thread has little to do, and then spins, waiting for more, on a core that
    another photo needs (docs/decisions/0038-threads-screen-a-batch.md).
    """
    n_before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        with threadpool_limits(limits=1, user_api="blas"):
            yield
    finally:
        cv2.setNumThreads(n_before)
