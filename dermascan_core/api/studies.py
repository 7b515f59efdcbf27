"""``POST /v1/studies``: the shape of DICOMweb's STOW-RS (PS3.18, 10.5) for one lesion. Nothing is stored.

Parts of ``application/dicom``, ``image/jpeg`` and ``image/png`` are screened together; a part of ``application/json`` says what is
known. A DICOM part that cannot be read comes back as failed, with the standard's failure reason; its tags end in ``interop``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from ..domain import ImageType, Metadata
from ..errors import PhotoError
from ..reports.export import screening_to_json
from ..services.dicom_photos import DicomPhoto, fill_unknown, read_dicom, told_by
from .answering import ask_in_turn, body_chunks
from .context import context_of
from .forms import PHOTO_FIELD, read_lesion_form
from .multipart import Part, PartRules, read_parts
from .problems import ProblemError, problem_answers
from .records import StudyRecord
from .screenings import screen_in_turn

router = APIRouter(tags=["studies"])
PHOTO_TYPES = ("image/jpeg", "image/png")
DICOM_TYPE, JSON_TYPE = "application/dicom", "application/json"
FAILED_SOP_SEQUENCE, FAILURE_REASON = "00081198", "00081197"
# PS3.7, annex C, and PS3.4, table B.2-1: SOP class not supported, processing failure, cannot understand.
_NOT_SUPPORTED, _NOT_PROCESSED, _NOT_UNDERSTOOD = 0x0122, 0x0110, 0xC000
_OTHER_TYPE = "Expected a part of application/dicom, image/jpeg, image/png or application/json. It has another type."


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

    Where that part is silent, what DICOM files tell counts: age, sex, site, and what took them if all of them say the same.
    200 when all parts were used, 202 when some failed, 409 when all pictures failed.
    """
    context = context_of(request)
    context.model.get()
    context.queue.check_room()
    limits = context.limits
    rules = PartRules("related", (), limits.photos + 1, 0, limits.field_bytes, large_bytes=limits.photo_bytes)
    parts = await read_parts(request.headers.get("content-type", ""), body_chunks(request), rules)
    _check_json(parts, max_bytes=limits.field_bytes)
    # A picture takes up to seconds to decompress, so it waits for its turn; nothing else of the server does.
    has_dicom = any(part.content_type == DICOM_TYPE for part in parts)
    opened = await ask_in_turn(request, context.queue, partial(_open, parts)) if has_dicom else _open(parts)
    if opened.failed and not any(part.name == PHOTO_FIELD for part in opened.usable):
        raise ProblemError(
            409,
            "no_part_usable",
            f"No part can be screened. The first that failed: {opened.failed[0]['sentence']}",
            more={FAILED_SOP_SEQUENCE: opened.failed},
        )
    form = read_lesion_form(opened.usable, told_image_type=opened.image_type)
    form = replace(form, metadata=fill_unknown(form.metadata, opened.told))
    record = json.loads(screening_to_json(await screen_in_turn(request, form), with_heat_maps=form.explain))
    return JSONResponse({"screening": record, FAILED_SOP_SEQUENCE: opened.failed}, 202 if opened.failed else 200)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A study's parts as a form would name them.

    Attributes:
        usable: Photos and fields.
        failed: The others, as the answer names them.
        told: Age, sex and site, each from the first DICOM file that tells it.
        image_type: What took the photos, where all of them are DICOM files and say the same.
    """

    usable: list[Part]
    failed: list[dict[str, Any]]
    told: Metadata
    image_type: ImageType | None


def _open(parts: Sequence[Part]) -> _Opened:
    """Sort the parts, and read each DICOM file: a picture goes on, and of its tags what ``_Opened`` names.

    Raises:
        ProblemError: 422 where the files name several patients or lesions.
    """
    photos: dict[int, DicomPhoto] = {}
    failed: list[dict[str, Any]] = []
    for number, part in enumerate(parts, start=1):
        if part.content_type == DICOM_TYPE:
            try:
                photos[number] = read_dicom(part.data)
            except PhotoError as error:
                failed.append(_failure(number, part, *_why(error)))
        elif part.content_type not in (*PHOTO_TYPES, JSON_TYPE):
            failed.append(_failure(number, part, _NOT_SUPPORTED, _OTHER_TYPE))
    _check_one_lesion(list(photos.values()))
    numbers_failed = {one["part"] for one in failed}
    usable = [
        _as_field(p, photos.get(number)) for number, p in enumerate(parts, start=1) if number not in numbers_failed
    ]
    kinds = {photo.image_type for photo in photos.values()} | {None for p in parts if p.content_type in PHOTO_TYPES}
    told = reduce(fill_unknown, map(told_by, photos.values()), Metadata())
    return _Opened(usable, failed, told, kinds.pop() if len(kinds) == 1 else None)


def _check_one_lesion(photos: Sequence[DicomPhoto]) -> None:
    persons, lesions = {photo.person for photo in photos}, {photo.lesion for photo in photos}
    if len(persons - {""}) > 1 or len(lesions - {""}) > 1:
        raise ProblemError(
            422,
            "several_lesions",
            "Expected pictures of one lesion. The DICOM files name several patients or lesions. Send one request a lesion.",
        )


def _as_field(part: Part, photo: DicomPhoto | None) -> Part:
    """Return the part as a form would name it; of a DICOM file its picture alone."""
    if photo is not None:
        return Part(PHOTO_FIELD, content_type="image/png", body=io.BytesIO(photo.png), size_bytes=len(photo.png))
    part.name = PHOTO_FIELD if part.content_type in PHOTO_TYPES else "metadata"
    return part


def _why(error: PhotoError) -> tuple[int, str]:
    return (_NOT_UNDERSTOOD if error.code == "unreadable" else _NOT_PROCESSED), str(error)


def _check_json(parts: Sequence[Part], *, max_bytes: int) -> None:
    if any(part.content_type == JSON_TYPE and part.size_bytes > max_bytes for part in parts):
        raise ProblemError(413, "part_too_large", f"Expected at most {max_bytes // 1024} kB of JSON. It is larger.")


def _failure(number: int, part: Part, reason: int, sentence: str) -> dict[str, Any]:
    return {
        "part": number,
        "content_type": part.content_type[:60],
        FAILURE_REASON: {"vr": "US", "Value": [reason]},
        "sentence": sentence,
    }
