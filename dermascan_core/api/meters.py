"""Counts for Prometheus: how much, how long, how often not. Never who, never what a photo showed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..domain import Screening, Status
from ..services.queueing import QueueState

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60)
# A label's values must be few: whatever else a client calls its method counts as one.
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


class Meters:
    """The counts of one server.

    Args:
        queue_state: Gives how the queue stands.
    """

    def __init__(self, queue_state: Callable[[], QueueState]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_QueueCollector(queue_state))
        kinds = ("method", "path", "status")
        self._requests = Counter("dermascan_requests", "Answered requests.", kinds, registry=self._registry)
        self._seconds = Histogram(
            "dermascan_request_seconds",
            "From the first byte to the last.",
            ("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._problems = Counter("dermascan_problems", "Requests not answered.", ("code",), registry=self._registry)
        self._photos = Counter(
            "dermascan_photos", "Photos by what became of them.", ("status",), registry=self._registry
        )
        self._refused = Counter(
            "dermascan_refused_photos", "Refused photos by reason.", ("code",), registry=self._registry
        )
        for status in Status:
            self._photos.labels(status.value)

    def count_request(self, *, method: str, path: str, status: int, seconds: float, problem: str) -> None:
        """Count a request that was answered; ``path`` is its template, so that no id becomes a label."""
        self._requests.labels(method if method in _METHODS else "other", path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)
        if problem:
            self._problems.labels(problem).inc()

    def count_screening(self, screening: Screening) -> None:
        """Count a lesion's photos."""
        for photo in screening.photos:
            self._photos.labels(photo.status.value).inc()
            if photo.status is Status.REFUSED and photo.reason is not None:
                self._refused.labels(photo.reason.code).inc()

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self._registry)


class _QueueCollector(Collector):
    def __init__(self, state: Callable[[], QueueState]) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        state = self._state()
        yield GaugeMetricFamily("dermascan_queue_waiting", "Who waits for the model.", value=state.n_waiting)
        yield GaugeMetricFamily("dermascan_queue_running", "What the model does now.", value=state.n_running)
        yield GaugeMetricFamily(
            "dermascan_queue_expected_wait_seconds", "How long a newcomer waits.", value=state.expected_wait_s
        )
        yield CounterMetricFamily("dermascan_queue_refused", "Refused for a full queue.", value=state.n_refused)
        yield CounterMetricFamily("dermascan_queue_dropped", "Left before their turn.", value=state.n_dropped)
        yield CounterMetricFamily("dermascan_queue_done", "What the model did.", value=state.n_done)
