"""Whether the server lives, whether it can answer, what answers, and how much it does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from .. import __version__
from ..model.manifest import Manifest
from ..services import models
from ..services.model_list import measured_lines
from ..services.withholding import read_withholding
from .context import context_of
from .problems import problem_answers
from .records import HealthRecord, ModelRecord, ReadyRecord

router = APIRouter(tags=["server"])


@router.get("/healthz", summary="Alive?", response_model=HealthRecord, responses=problem_answers())
async def healthz() -> dict[str, str]:
    """Answer as soon as the process listens, without a key."""
    return {"status": "alive", "app_version": __version__}


@router.get("/readyz", summary="Ready to answer?", response_model=ReadyRecord, responses=problem_answers())
async def readyz(request: Request) -> dict[str, Any]:
    """200 once the model is loaded and its weights agree with their manifest; 503 says what is missing. No key."""
    context = context_of(request)
    predictor = context.model.get()
    return {
        "status": "ready",
        "model": predictor.manifest.name,
        "model_sha256": predictor.manifest.sha256,
        "engine": predictor.engine,
        "n_waiting": context.queue.state.n_waiting,
        "withheld": read_withholding().withheld.value,
    }


@router.get("/metrics", summary="Counts for Prometheus", response_class=Response, responses=problem_answers())
async def metrics(request: Request) -> Response:
    """Requests, durations, the queue, photos by status and refusals by code, in Prometheus' text format."""
    return Response(context_of(request).meters.text(), media_type="text/plain; version=1.0.0; charset=utf-8")


@router.get("/v1/models", summary="Which models ship", response_model=list[ModelRecord], responses=problem_answers())
def list_models(request: Request) -> list[dict[str, Any]]:
    """Name, classes, weights and measured lines of every model; ``is_answering`` marks the one that answers here."""
    model = context_of(request).model
    answering = model.manifest
    engine = None if answering is None else model.get().engine
    return [_describe(manifest, answering, engine) for manifest in models.list_models()]


def _describe(manifest: Manifest, answering: Manifest | None, engine: str | None) -> dict[str, Any]:
    is_answering = answering is not None and manifest.sha256 == answering.sha256
    return {
        "name": manifest.name,
        "version": manifest.version,
        "classes": list(manifest.codes),
        "backbone": manifest.backbone,
        "input_px": manifest.preprocess.input_px,
        "n_views": manifest.n_views,
        "metadata_fields": list(manifest.metadata_fields),
        "sha256": manifest.sha256,
        "licence": manifest.licence,
        "measured": measured_lines(manifest),
        "is_answering": is_answering,
        "engine": engine if is_answering else None,
    }
