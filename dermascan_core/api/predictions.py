"""``POST /v1/predictions``: squares in, the network's numbers out; for an app whose engine is this server."""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from ..domain import Metadata
from ..model.predictor import ManyViewsPredictor, PhotoOutput, Predictor
from ..services.wire import decode_square, encode_outputs, metadata_from_json
from ..services.withholding import refuse_when_stopped
from .answering import ask_in_turn, body_chunks
from .context import context_of
from .forms import read_count, read_flag, said_texts
from .multipart import PartRules, read_parts
from .problems import ProblemError, problem_answers

router = APIRouter(tags=["predictions"])
MAX_VIEWS = 8
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["squares", "metadata", "model_sha256"],
    "properties": {
        "squares": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "PNG, RGB, exactly as large as the network's input; see input_px of GET /v1/models.",
        },
        "metadata": {"type": "string", "description": "A JSON list: for each square an object of what is known."},
        "model_sha256": {"type": "string", "description": "Of the weights that are to answer."},
        "explain": {"type": "boolean", "default": False},
        "n_views": {"type": "integer", "minimum": 0, "maximum": MAX_VIEWS, "description": "0: the model's own number."},
    },
    "additionalProperties": False,
}


@router.post(
    "/v1/predictions",
    summary="Ask the network about squares",
    response_class=Response,
    responses={
        200: {
            "description": "Answers as .npz without pickles; dermascan_core.services.wire reads it.",
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
        **problem_answers(400, 409, 415, 422),
    },
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _SCHEMA}}}},
)
async def predict(request: Request) -> Response:
    """Numbers without advice: quality, refusals and the next step are the caller's to decide, as the app does."""
    refuse_when_stopped()
    context = context_of(request)
    predictor = context.model.get()
    context.queue.check_room()
    limits = context.limits
    side_px = predictor.manifest.preprocess.input_px
    rules = PartRules(
        "form-data",
        ("squares",),
        limits.squares,
        limits.parts,
        limits.field_bytes,
        large_bytes=4 * side_px * side_px + limits.field_bytes,
    )
    parts = await read_parts(request.headers.get("content-type", ""), body_chunks(request), rules)
    said = said_texts([part for part in parts if part.name != "squares"])
    _check_weights(said.pop("model_sha256", ""), predictor)
    explain, n_views = read_flag(said, "explain"), read_count(said, "n_views")
    squares = [decode_square(part.data, side_px=side_px) for part in parts if part.name == "squares"]
    metadata = _read_metadata(said.pop("metadata", ""), n_squares=len(squares))
    chosen = _with_views(predictor, n_views)

    def work() -> list[PhotoOutput]:
        return chosen.predict(np.stack(squares), metadata, explain=explain)

    outputs = await ask_in_turn(request, context.queue, work)
    request.state.counts = {"n_squares": len(squares)}
    return Response(encode_outputs(outputs), media_type="application/octet-stream")


def _check_weights(sha256: str, predictor: Predictor) -> None:
    own = predictor.manifest.sha256
    if sha256 != own:
        raise ProblemError(
            409,
            "other_weights",
            f"Expected a request for the weights {own[:12]}, which answer here. Received one for '{sha256[:12]}'. "
            "Install the same release on both machines.",
        )


def _read_metadata(text: str, *, n_squares: int) -> list[Metadata]:
    try:
        metadata = metadata_from_json(text)
    except (ValueError, RecursionError) as error:
        raise ProblemError(
            422, "metadata_not_json", "Expected in 'metadata' a JSON list of objects with known fields. It is not."
        ) from error
    if n_squares == 0 or len(metadata) != n_squares:
        raise ProblemError(
            422,
            "count_differs",
            f"Expected at least one square, and metadata for each. Received {n_squares} and {len(metadata)}.",
        )
    return metadata


def _with_views(predictor: Predictor, n_views: int) -> Predictor:
    """Return the predictor averaging that many views where it can be told to, as ``with_few_views`` does."""
    if n_views > MAX_VIEWS:
        raise ProblemError(422, "views_impossible", f"Expected n_views from 1 to {MAX_VIEWS}. It is larger.")
    return predictor.with_views(n_views) if n_views and isinstance(predictor, ManyViewsPredictor) else predictor
