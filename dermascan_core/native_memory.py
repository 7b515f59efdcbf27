"""Keeps the memory that a training step frees for the next step, which asks for the same again."""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
_N_ARENAS = 2  # what one thread frees, another can use


def keep_freed_memory() -> bool:
    """From now on, in the whole process, let freed memory stay with the process; return whether that could be asked for.

    A training step on a CPU takes and frees gigabytes of large arrays. glibc maps each anew and gives it back at once, and the
    kernel then fills every page with zeros that nobody reads. Only for processes that train: what is kept is lost to others until
    the end. Does nothing where the C library is not glibc.

    Source: mallopt(3). Measured by ``python -m benchmarks.training_memory`` (docs/training-memory.md).
    """
    if sys.platform != "linux":
        return False
    library = ctypes.CDLL(None)
    # musl has no mallopt; some replacements of malloc have one that does nothing.
    if not (hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt")):
        return False
    wanted = {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: -1, _M_ARENA_MAX: _N_ARENAS}  # -1: never trim
    told = [library.mallopt(name, value) == 1 for name, value in wanted.items()]
    return all(told)
