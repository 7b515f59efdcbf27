"""Holds back what compiled libraries write to standard error without being asked."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

# Information and warnings as absl, TensorFlow and LiteRT write them, and the second line of one of them.
_CHATTER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\] "
    rb"|\d{4}-\d\d-\d\d [\d:.]+ *: [IW] "
    rb"|To enable the following instructions: "
    rb"|INFO: Created TensorFlow Lite XNNPACK delegate"
    rb"|fully_quantize: \d, inference_type: "
)


@contextmanager
def without_chatter() -> Iterator[None]:
    """Hold back what any code, C++ included, writes to standard error, and pass on at the end all but the chatter."""
    sys.stderr.flush()
    outside = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(outside, 2)
            os.close(outside)
            _pass_on(held)


def _pass_on(held: IO[Any]) -> None:
    held.seek(0)
    kept = b"".join(line for line in held if not _CHATTER.match(line))
    if kept:
        os.write(2, kept)
