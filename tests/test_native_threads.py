"""How many threads NumPy's linear algebra and OpenCV may use."""

import cv2
import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from dermascan_core.native_threads import hold_blas_to_one_thread, one_thread_each


def blas_threads() -> set[int]:
    np.ones((8, 8)) @ np.ones((8, 8))
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_blas_is_held_to_one_thread_from_then_on() -> None:
    with threadpool_limits(limits=2, user_api="blas"):
        assert blas_threads() == {2}

        hold_blas_to_one_thread()

        assert blas_threads() == {1}


def test_batch_gives_back_the_threads_that_it_found() -> None:
    before = cv2.getNumThreads()
    with threadpool_limits(limits=2, user_api="blas"):
        with one_thread_each():
            assert (blas_threads(), cv2.getNumThreads()) == ({1}, 1)

        assert (blas_threads(), cv2.getNumThreads()) == ({2}, before)
