"""What all paths share: the model, the queue before it, the limits, the counts, and the batches on disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from ..services.job_runner import JobRunner
from ..services.queueing import WorkQueue
from .answering import AnsweringModel
from .limits import Limits
from .meters import Meters


@dataclass(frozen=True, slots=True)
class ServerContext:
    """One server's things."""

    model: AnsweringModel
    queue: WorkQueue
    limits: Limits
    meters: Meters
    jobs: JobRunner


def context_of(request: Request) -> ServerContext:
    """Return the things of the server that a request came to."""
    return cast(ServerContext, request.app.state.context)
