"""How much one client may ask: sizes, times, and a bucket of requests for each key."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from ..imaging.decode import MAX_SIZE_BYTES

MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What the server takes.

    Attributes:
        requests_per_minute: Of one key.
        photo_bytes: Of one photo.
        photos: Of one lesion.
        body_bytes: Of one request other than a batch.
        all_bodies_bytes: Of all requests in memory together, batches left out: they go to disk.
        batch_photos, batch_bytes: Of one batch.
        batch_jobs: Batches of one key that wait or run.
        parts: Parts of one multipart request beside the photos.
        field_bytes: Of one part that is no photo and no table.
        header_bytes: Of a request's first line and headers.
        header_timeout_s: How long a client may take to send them.
        body_gap_s: How long a body may pause.
        body_grace_s, body_bytes_per_s: After the grace, a body must have come at this rate on average.
        squares: Squares in one request for predictions.
        keep_alive_s: How long an idle connection stays open: longer than anybody is told to wait before coming again, and
            than the proxy in front keeps its own (60 s, in ``Caddyfile``), so that a request and the end of its connection
            seldom cross.
    """

    requests_per_minute: int = 60
    photo_bytes: int = MAX_SIZE_BYTES
    photos: int = 8
    body_bytes: int = 128 * MB
    all_bodies_bytes: int = 512 * MB
    batch_photos: int = 1000
    batch_bytes: int = 2048 * MB
    batch_jobs: int = 20
    parts: int = 100
    field_bytes: int = 64 * 1024
    header_bytes: int = 16 * 1024
    header_timeout_s: float = 10.0
    body_gap_s: float = 15.0
    body_grace_s: float = 30.0
    body_bytes_per_s: int = 4096
    squares: int = 64
    keep_alive_s: int = 75


class RateLimiter:
    """A bucket of tokens for each key: full at first, refilled evenly, one a request.

    Args:
        per_minute: How many fit in the bucket and flow back in a minute.
        clock: Monotonic seconds. One that goes backwards refills nothing and takes nothing away.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # key -> tokens, seen at

    def wait_s(self, key: str) -> int:
        """Take a token. Returns 0 when there was one, else the whole seconds until there is.

        >>> times = iter([0.0, 0.0, 15.0, 31.0])
        >>> limiter = RateLimiter(2, clock=lambda: next(times))
        >>> [limiter.wait_s("a") for _ in range(2)], limiter.wait_s("a"), limiter.wait_s("a")
        ([0, 0], 15, 0)
        """
        now = self._clock()
        tokens, seen_at = self._buckets.get(key, (float(self._per_minute), now))
        tokens = min(self._per_minute, tokens + max(0.0, now - seen_at) * self._per_minute / 60)
        is_free = tokens >= 1
        self._buckets[key] = (tokens - is_free, now)
        return 0 if is_free else max(1, math.ceil((1 - tokens) * 60 / self._per_minute))
