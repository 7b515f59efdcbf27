"""``/v1/batches``: many photos at once, worked off one by one on disk, with progress, results and removal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from ..reports.export import record_to_row
from ..services.batch import read_metadata_table
from ..services.batch_jobs import RESULTS_FILE, TABLE_FILE, Job, JobState, photo_file
from .answering import body_chunks
from .context import ServerContext, context_of
from .forms import PHOTO_FIELD, name_photo, read_flag, read_image_type, said_texts
from .multipart import Part, PartRules, read_parts
from .problems import ProblemError, problem_answers
from .records import JobRecord
from .screenings import CONTROLS

router = APIRouter(tags=["batches"])
TABLE_FIELD = "metadata"
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [PHOTO_FIELD, "image_type"],
    "properties": {
        PHOTO_FIELD: {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "format": "binary"},
            "description": "Each a lesion of its own; its file name names it in the results and finds its metadata.",
        },
        TABLE_FIELD: {
            "type": "string",
            "format": "binary",
            "description": "A CSV by image or image_id, as for `screen --metadata`.",
        },
        **{name: CONTROLS[name] for name in ("image_type", "repeat")},
    },
    "additionalProperties": False,
}


@router.post(
    "/v1/batches",
    status_code=202,
    summary="Screen many photos",
    response_model=JobRecord,
    responses=problem_answers(400, 415, 422, 507),
    openapi_extra={"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _SCHEMA}}}},
)
async def begin(request: Request) -> Response:
    """Receive photos and begin: 202, and ``Location`` says where to look.

    The job is on disk before this answers, and a killed server goes on with it. It belongs to the key that sent it.
    """
    context = context_of(request)
    store, owner, limits = context.jobs.store, request.state.key.sha256, context.limits
    store.check_room(owner)
    with store.incoming() as folder:
        rules = PartRules(
            "form-data",
            (PHOTO_FIELD, TABLE_FIELD),
            limits.batch_photos + 1,
            limits.parts,
            limits.field_bytes,
            large_bytes=limits.photo_bytes,
            open_body=lambda number: _open_part(folder, number),
            closes_bodies=True,
        )
        parts = await read_parts(request.headers.get("content-type", ""), body_chunks(request), rules)
        said = said_texts([part for part in parts if part.name not in (PHOTO_FIELD, TABLE_FIELD)])
        image_type, repeat = read_image_type(said), read_flag(said, "repeat")
        if said:
            raise ProblemError(422, "field_unknown", "Expected only photos, metadata, image_type and repeat.")
        names = _sort_in(folder, parts)
        job = store.accept(folder, owner=owner, names=names, image_type=image_type, repeat=repeat)
    context.jobs.wake()
    request.state.counts = {"n_photos": len(names)}
    return JSONResponse(_describe(job, context), 202, {"Location": f"/v1/batches/{job.id}"})


@router.get(
    "/v1/batches/{job_id}", summary="How far is it?", response_model=JobRecord, responses=problem_answers(404, 422)
)
def look(request: Request, job_id: str) -> dict[str, Any]:
    """Say how far a batch is, and how long it will probably take."""
    context = context_of(request)
    return _describe(_find(request, job_id), context)


@router.get(
    "/v1/batches/{job_id}/results",
    summary="The results",
    response_class=Response,
    responses={
        200: {
            "description": "One line a photo, in the order sent: the columns of `screen --out`.",
            "content": {"application/x-ndjson": {}, "text/csv": {}},
        },
        **problem_answers(404, 409, 422),
    },
)
def results(request: Request, job_id: str, format: Annotated[Literal["jsonl", "csv"], Query()] = "jsonl") -> Response:
    """Give the lines of a batch that is done."""
    context, job = context_of(request), _find(request, job_id)
    if job.state is not JobState.DONE:
        progress = context.jobs.progress(job)
        raise ProblemError(
            409,
            "batch_not_done",
            f"Expected a batch that is done. It is {job.state}: {progress.n_done} of {len(job.names)} photos.",
            retry_after_s=None if job.state.is_over else max(1, min(600, round(progress.eta_s or 5))),
        )
    lines = _lines_of(context.jobs.store.path(job, RESULTS_FILE))
    if format == "csv":
        return StreamingResponse(_as_csv(lines), media_type="text/csv; charset=utf-8")
    return StreamingResponse(lines, media_type="application/x-ndjson")


@router.delete(
    "/v1/batches/{job_id}", status_code=204, summary="Cancel and remove", responses=problem_answers(404, 422)
)
def remove(request: Request, job_id: str) -> Response:
    """Stop a batch and remove its photos and results."""
    context_of(request).jobs.cancel(_find(request, job_id))
    return Response(status_code=204)


def _open_part(folder: Path, number: int) -> BinaryIO:
    return (folder / f"part-{number:06d}").open("wb")


def _sort_in(folder: Path, parts: Sequence[Part]) -> list[str]:
    """Give each file that was received its place in the job's folder; returns the photos' names.

    Raises:
        ProblemError: If there is no photo, or more than one table.
        TableError: If the table cannot be used.
    """
    names: list[str] = []
    large = [part for part in parts if part.name in (PHOTO_FIELD, TABLE_FIELD)]
    for number, part in enumerate(large):
        received = folder / f"part-{number:06d}"
        if part.name == PHOTO_FIELD:
            received.rename(photo_file(folder, len(names)))
            names.append(name_photo(part, len(names)))
        elif (folder / TABLE_FILE).exists():
            raise ProblemError(422, "field_twice", f"Expected one table in '{TABLE_FIELD}'. Received two.")
        else:
            received.rename(folder / TABLE_FILE)
            read_metadata_table(folder / TABLE_FILE)
    if not names:
        raise ProblemError(422, "no_photo", f"Expected one photo or more in the field '{PHOTO_FIELD}'. There is none.")
    return names


def _find(request: Request, job_id: str) -> Job:
    """Return the job; one of another key is as good as none."""
    job = context_of(request).jobs.store.find(job_id, request.state.key.sha256)
    if job is None:
        raise ProblemError(404, "no_such_batch", "There is no batch of this id that belongs to this key.")
    return job


def _describe(job: Job, context: ServerContext) -> dict[str, Any]:
    progress = context.jobs.progress(job)
    return {
        "id": job.id,
        "state": job.state.value,
        "n_photos": len(job.names),
        "n_done": progress.n_done,
        "eta_s": progress.eta_s,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "keep_until": _keep_until(job, context.jobs.keep_days),
        "statuses": dict(job.statuses),
        "next_steps": dict(job.next_steps),
        "notes": list(job.notes),
        "error": job.error,
        "results": f"/v1/batches/{job.id}/results",
    }


def _keep_until(job: Job, keep_days: int) -> str | None:
    if job.finished_at is None:
        return None
    return (datetime.fromisoformat(job.finished_at) + timedelta(days=keep_days)).isoformat()


def _lines_of(file: Path) -> Iterator[str]:
    with file.open(encoding="utf-8") as lines:
        yield from lines


def _as_csv(lines: Iterator[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        row = record_to_row(json.loads(line))
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, list(row), lineterminator="\n")
        if number == 0:
            writer.writeheader()
        writer.writerow(row)
        yield buffer.getvalue()
