"""``POST /v1/screenings``: photos of one lesion and answers in, the record with the next step out. Nothing is kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from ..domain import Screening
from ..reports.export import screening_to_json
from ..services.metadata_table import ANSWER_COLUMNS, METADATA_COLUMNS
from ..services.screening import screen_lesion
from ..triage.wording import QUESTIONS, SIGN_QUESTIONS
from .answering import ask_in_turn, body_chunks
from .context import context_of
from .forms import PHOTO_FIELD, LesionForm, read_lesion_form
from .multipart import PartRules, read_parts
from .problems import problem_answers
from .records import ScreeningRecord

router = APIRouter(tags=["screenings"])
_YES_NO = {"type": "string", "enum": ["yes", "no", "true", "false", ""]}
CONTROLS: dict[str, dict[str, Any]] = {
    "image_type": {"type": "string", "enum": ["dermoscopic", "clinical"], "description": "How the photos were taken."},
    "explain": {"type": "boolean", "default": False, "description": "Also say where the network looked."},
    "repeat": {
        "type": "boolean",
        "default": False,
        "description": "Look twice, as the app does; several times slower.",
    },
    "n_refused_before": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 0},
}
FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [PHOTO_FIELD, "image_type"],
    "properties": {
        PHOTO_FIELD: {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "One photo of the lesion or more, at most 30 MB each.",
        },
        **CONTROLS,
        "metadata": {"type": "string", "description": "A JSON object of any fields below, instead of form fields."},
        "answers": {"type": "string", "description": "The same; a field may stand in one place only."},
        **{name: {"type": "string"} for name in METADATA_COLUMNS},
        **dict.fromkeys(ANSWER_COLUMNS, _YES_NO),
        **{name: _YES_NO | {"description": question} for name, question in {**QUESTIONS, **SIGN_QUESTIONS}.items()},
    },
    "additionalProperties": False,
    "example": {PHOTO_FIELD: ["mole.jpg"], "image_type": "clinical", "age": "61", "sex": "female", "changing": "yes"},
}


@router.post(
    "/v1/screenings",
    summary="Screen one lesion",
    response_model=ScreeningRecord,
    responses=problem_answers(400, 415, 422),
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM_SCHEMA}}}},
)
async def screen(request: Request) -> Response:
    """Send the photos of ONE lesion with what is known and answered; get the record that the app offers for download.

    A photo that cannot be used is recorded as refused, with its reason, and the answer is still 200. Not a medical
    device. Not a diagnosis. A low result does not rule out skin cancer.
    """
    context = context_of(request)
    context.model.get()
    context.queue.check_room()  # before the body is read
    limits = context.limits
    rules = PartRules(
        "form-data", (PHOTO_FIELD,), limits.photos, limits.parts, limits.field_bytes, large_bytes=limits.photo_bytes
    )
    parts = await read_parts(request.headers.get("content-type", ""), body_chunks(request), rules)
    return await answer_lesion(request, read_lesion_form(parts))


async def answer_lesion(request: Request, form: LesionForm) -> Response:
    """Screen a lesion in its turn and return its record as JSON."""
    screening = await screen_in_turn(request, form)
    return Response(screening_to_json(screening, with_heat_maps=form.explain), media_type="application/json")


async def screen_in_turn(request: Request, form: LesionForm) -> Screening:
    """Screen a lesion in its turn, count its photos, and return its record."""
    context = context_of(request)
    predictor = context.model.get()

    def work() -> Screening:
        return screen_lesion(
            form.photos,
            metadata=form.metadata,
            answers=form.answers,
            image_type=form.image_type,
            predictor=predictor,
            explain=form.explain,
            repeat=form.repeat,
            n_refused_before=form.n_refused_before,
        )

    screening = await ask_in_turn(request, context.queue, work)
    context.meters.count_screening(screening)
    request.state.counts = {"n_photos": len(screening.photos)}
    return screening
