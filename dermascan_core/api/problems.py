"""What went wrong, as RFC 9457 ``application/problem+json``: a sentence, a code, and the id that the log has too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from ..errors import (
    AnswersWithheldError,
    DermaScanError,
    EngineError,
    MetadataError,
    OutputError,
    PhotoError,
    QueueFullError,
    RemoteServerError,
    TableError,
    WeightsError,
)

MEDIA_TYPE = "application/problem+json"
_SCHEMA = "#/components/schemas/ProblemRecord"
_UNEXPECTED = "Something unexpected went wrong here. Nothing of the request was kept. Report it with the request's id."
# What a service may raise -> status and code; the first that fits.
_STATUS_OF: dict[type[DermaScanError], tuple[int, str]] = {
    AnswersWithheldError: (503, "answers_withheld"),
    QueueFullError: (503, "queue_full"),
    MetadataError: (422, "metadata_impossible"),
    TableError: (422, "table_unusable"),
    PhotoError: (422, "photo_unusable"),
    OutputError: (507, "disk_unusable"),
    WeightsError: (503, "model_unusable"),
    EngineError: (503, "model_unusable"),
    RemoteServerError: (503, "model_unusable"),
}
TITLES = {
    400: "The request cannot be read",
    401: "A valid API key is needed",
    404: "There is no such thing",
    405: "This is not done here",
    408: "The request came too slowly",
    409: "Not now, or not like this",
    413: "The request is too large",
    415: "The request has another type than expected",
    421: "The request was meant for another server",
    422: "The request says something that cannot be",
    429: "Too many requests",
    431: "The headers are too large",
    499: "The client left",
    500: "Something unexpected went wrong",
    503: "Not ready for this now",
    507: "The server cannot store it",
}


class ProblemError(DermaScanError):
    """A request that is not answered as asked.

    Args:
        status: HTTP status.
        code: Stable and machine-readable.
        sentence: What was expected, what came, what to do.
        retry_after_s: Seconds after which to send it again; None where that would not help.
        more: Further members of the problem.
    """

    def __init__(
        self,
        status: int,
        code: str,
        sentence: str,
        *,
        retry_after_s: int | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s
        self.more = dict(more or {})


class ProblemRecord(BaseModel):
    """What a client gets when something went wrong (RFC 9457)."""

    type: str = Field(examples=["urn:dermascan:problem:queue_full"])
    title: str = Field(examples=[TITLES[503]])
    status: int = Field(examples=[503])
    detail: str = Field(description="One sentence that says what was expected, what came, and what to do.")
    code: str = Field(description="Stable; what a program decides by.", examples=["queue_full"])
    request_id: str = Field(description="The server's log has it too.", examples=["8f1c2b7a90d34e55"])
    retry_after_s: int | None = Field(None, description="Seconds; the header Retry-After says the same.")


def problem_of(error: DermaScanError) -> ProblemError:
    """Return what a failure of a service means to a client."""
    if isinstance(error, ProblemError):
        return error
    status, code = next((found for kind, found in _STATUS_OF.items() if isinstance(error, kind)), (500, "failed"))
    return ProblemError(status, code, str(error), retry_after_s=getattr(error, "retry_after_s", None))


def problem_response(problem: ProblemError, request_id: str) -> JSONResponse:
    """Return a problem as an answer."""
    headers = {"X-Request-Id": request_id, "X-Problem-Code": problem.code}
    if problem.retry_after_s is not None:
        headers["Retry-After"] = str(problem.retry_after_s)
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    body = {
        "type": f"urn:dermascan:problem:{problem.code}",
        "title": TITLES.get(problem.status, TITLES[500]),
        "status": problem.status,
        "detail": str(problem),
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.retry_after_s is not None:
        body["retry_after_s"] = problem.retry_after_s
    return JSONResponse(body | problem.more, problem.status, headers, media_type=MEDIA_TYPE)


def tell_problems(app: FastAPI) -> None:
    """Let every failure of the application leave it as a problem, and none as a traceback."""

    def of_ours(request: Request, error: Any) -> JSONResponse:
        return problem_response(problem_of(error), request.state.request_id)

    def of_parameters(request: Request, error: Any) -> JSONResponse:
        # Where, not what: what was sent may be about a person.
        said = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        problem = ProblemError(422, "parameters_impossible", f"Expected other parameters: {said}. See /openapi.json.")
        return problem_response(problem, request.state.request_id)

    def of_routing(request: Request, error: Any) -> JSONResponse:
        codes = {404: "no_such_path", 405: "no_such_method"}
        sentence = f"There is no {request.method} at this path. GET /openapi.json lists what there is."
        problem = ProblemError(error.status_code, codes.get(error.status_code, "refused"), sentence)
        response = problem_response(problem, request.state.request_id)
        response.headers.update(error.headers or {})
        return response

    def unforeseen(request: Request, error: Any) -> JSONResponse:
        return problem_response(ProblemError(500, "unexpected", _UNEXPECTED), request.state.request_id)

    app.add_exception_handler(DermaScanError, of_ours)
    app.add_exception_handler(RequestValidationError, of_parameters)
    app.add_exception_handler(404, of_routing)
    app.add_exception_handler(405, of_routing)
    app.add_exception_handler(Exception, unforeseen)


def problem_answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI says about these statuses, beside those that every path has."""
    return {
        status: {"description": TITLES[status], "content": {MEDIA_TYPE: {"schema": {"$ref": _SCHEMA}}}}
        for status in sorted({*statuses, 401, 408, 413, 415, 421, 429, 431, 500, 503})
    }
