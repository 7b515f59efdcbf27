"""``POST /v1/studies``: the shape of DICOMweb's STOW-RS (PS3.18, 10.5) for one lesion. Nothing is stored.

Parts of ``image/jpeg`` and ``image/png`` are screened together; a part of ``application/json`` says what is known. DICOM
itself is not decoded yet: such parts come back as failed, with the standard's failure reason.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ..reports.export import screening_to_json
from .answering import body_chunks
from .context import context_of
from .forms import PHOTO_FIELD, read_lesion_form
from .multipart import Part, PartRules, read_parts
from .problems import ProblemError, problem_answers
from .records import StudyRecord
from .screenings import screen_in_turn

router = APIRouter(tags=["studies"])
PHOTO_TYPES = ("image/jpeg", "image/png")
FAILED_SOP_SEQUENCE, FAILURE_REASON = "00081198", "00081197"
_CLASS_NOT_SUPPORTED = 0x0122  # PS3.18, table 10.5.3-1: Referenced SOP Class not supported
_NOT_DECODED = "DICOM is not decoded here yet. Send the picture as a part of image/jpeg or image/png."
_OTHER_TYPE = "Expected a part of image/jpeg, image/png, application/json or application/dicom. It has another type."


@router.post(
    "/v1/studies",
    summary="Screen one lesion, sent as STOW-RS sends",
    response_model=StudyRecord,
    responses={
        202: {"description": "Some parts failed; the others were screened.", "model": StudyRecord},
        **problem_answers(400, 409, 415, 422),
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/related": {"schema": {"type": "string", "format": "binary"}},
            },
        }
    },
)
async def screen_study(request: Request) -> Response:
    """Take ``multipart/related``: pictures of one lesion, and one ``application/json`` part with ``image_type`` and more.

    200 when all parts were used, 202 when some failed, 409 when all pictures failed.
    """
    context = context_of(request)
    context.model.get()
    context.queue.check_room()
    limits = context.limits
    rules = PartRules("related", (), limits.photos + 1, 0, limits.field_bytes, large_bytes=limits.photo_bytes)
    parts = await read_parts(request.headers.get("content-type", ""), body_chunks(request), rules)
    failed = [
        _failure(number, part)
        for number, part in enumerate(parts, start=1)
        if part.content_type not in (*PHOTO_TYPES, "application/json")
    ]
    usable = [
        _as_field(part, max_json_bytes=limits.field_bytes)
        for part in parts
        if part.content_type in (*PHOTO_TYPES, "application/json")
    ]
    if failed and not any(part.name == PHOTO_FIELD for part in usable):
        raise ProblemError(
            409, "no_part_usable", f"No part can be screened. {_NOT_DECODED}", more={FAILED_SOP_SEQUENCE: failed}
        )
    form = read_lesion_form(usable)
    record = json.loads(screening_to_json(await screen_in_turn(request, form), with_heat_maps=form.explain))
    return JSONResponse({"screening": record, FAILED_SOP_SEQUENCE: failed}, 202 if failed else 200)


def _as_field(part: Part, *, max_json_bytes: int) -> Part:
    """Return the part as a form would name it."""
    if part.content_type == "application/json" and part.size_bytes > max_json_bytes:
        raise ProblemError(
            413, "part_too_large", f"Expected at most {max_json_bytes // 1024} kB of JSON. It is larger."
        )
    part.name = PHOTO_FIELD if part.content_type in PHOTO_TYPES else "metadata"
    return part


def _failure(number: int, part: Part) -> dict[str, Any]:
    is_dicom = part.content_type.startswith("application/dicom")
    return {
        "part": number,
        "content_type": part.content_type[:60],
        FAILURE_REASON: {"vr": "US", "Value": [_CLASS_NOT_SUPPORTED]},
        "sentence": _NOT_DECODED if is_dicom else _OTHER_TYPE,
    }
