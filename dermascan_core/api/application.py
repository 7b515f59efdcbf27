"""Puts the application together: paths, problems, OpenAPI, and the entrance before all of it."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.security import HTTPBearer
from structlog.typing import FilteringBoundLogger

from .. import __version__
from ..model.predictor import Predictor
from ..services.batch_jobs import JobStore
from ..services.job_runner import JobRunner
from ..services.queueing import WorkQueue
from ..triage.wording import DISCLAIMER
from . import batches, health, predictions, screenings, studies
from .answering import AnsweringModel
from .context import ServerContext
from .entrance import Entrance
from .keys import ApiKey
from .limits import Limits
from .meters import Meters
from .problems import ProblemRecord, tell_problems

_DESCRIPTION = f"""Screens photos of skin lesions. **{DISCLAIMER}**

Every answer that is not 2xx is `application/problem+json` with a sentence, a stable `code`, and the `request_id` that the
server's log has too. Where the status is 429 or 503, `Retry-After` says when to come again.
"""


@dataclass(frozen=True, slots=True)
class Built:
    """A server's parts.

    Attributes:
        asgi: What uvicorn runs.
        app: The FastAPI application within it.
        context: What its paths share.
    """

    asgi: Entrance
    app: FastAPI
    context: ServerContext


def build_application(
    *,
    load: Callable[[], Predictor],
    keys: Sequence[ApiKey],
    log: FilteringBoundLogger,
    folder: Path,
    limits: Limits = Limits(),  # noqa: B008  frozen, so one default serves all
    max_waiting: int = 8,
    keep_days: int = 7,
) -> Built:
    """Return the application; the model is loaded in the background once it starts.

    Args:
        load: Gives the predictor.
        keys: Who may ask; none opens it to this machine alone.
        log: Where each request is told.
        folder: Where batches lie.
        limits: What is taken of one client.
        max_waiting: How many may wait for the model.
        keep_days: How long a finished batch is kept.

    Raises:
        OutputError: If the folder cannot be made.
        ServeError: If another server works in it.
    """
    queue = WorkQueue(max_waiting=max_waiting)
    model, meters = AnsweringModel(load), Meters(lambda: queue.state)
    store = JobStore(folder / "batches", max_open=limits.batch_jobs)
    store.claim()
    jobs = JobRunner(
        store,
        queue,
        model.wait,
        keep_days=keep_days,
        on_screened=meters.count_screening,
        on_unforeseen=lambda error: log.error("batch", exc_info=error),
    )
    context = ServerContext(model, queue, limits, meters, jobs)
    app = FastAPI(
        title="DermaScan",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # these pages fetch scripts from elsewhere
        redoc_url=None,
        lifespan=lambda app: _while_serving(context),
    )
    app.state.context = context
    tell_problems(app)
    app.include_router(health.router)
    bearer = HTTPBearer(
        auto_error=False, description="An API key, made by: python -m dermascan_core serve --new-key NAME"
    )
    for router in (screenings.router, studies.router, batches.router, predictions.router):
        app.include_router(router, dependencies=[Depends(bearer)])
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return Built(Entrance(app, keys=keys, limits=limits, meters=context.meters, log=log), app, context)


@asynccontextmanager
async def _while_serving(context: ServerContext) -> AsyncIterator[None]:
    threading.Thread(target=context.model.load_and_warm_up, name="load-model", daemon=True).start()
    context.jobs.start()
    yield
    context.jobs.stop()
    context.queue.close()


def _openapi(app: FastAPI) -> dict[str, Any]:
    if not app.openapi_schema:
        schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        schema["components"]["schemas"]["ProblemRecord"] = ProblemRecord.model_json_schema()
        for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own; ours are problems
            schema["components"]["schemas"].pop(unused, None)
        app.openapi_schema = schema
    return app.openapi_schema
