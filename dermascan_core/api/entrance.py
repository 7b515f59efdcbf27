"""What every request passes before its path: an id, its host, its key, its rate, the size and the pace of its body.

Plain ASGI, so that a refused body is never read. After the answer the request is logged and counted: by key name,
path template, status and time, and by nothing that was in it.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from structlog.typing import FilteringBoundLogger

from .keys import ANYBODY, ApiKey, find_key
from .limits import Limits, RateLimiter
from .meters import Meters
from .problems import ProblemError, problem_response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN_PATHS = frozenset(("/healthz", "/readyz", "/openapi.json"))
BATCHES_PATH = "/v1/batches"
_OWN_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]"))
_LINGER_BYTES, _LINGER_S = 32 * 2**20, 2.0


@dataclass(slots=True)
class _Seen:
    """What is known of a request once it is answered."""

    key: ApiKey = ANYBODY
    status: int = 499
    problem: str = ""
    n_bytes: int = 0


class Entrance:
    """Wraps the application.

    Args:
        app: What answers.
        keys: Who may ask; without any, everybody on this machine may.
        limits: What is taken.
        meters, log: What is told of a request afterwards.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        app: Asgi,
        *,
        keys: Sequence[ApiKey],
        limits: Limits,
        meters: Meters,
        log: FilteringBoundLogger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app, self._keys, self._limits = app, tuple(keys), limits
        self._meters, self._log, self._clock = meters, log, clock
        self._limiter = RateLimiter(limits.requests_per_minute, clock=clock)
        self._n_bytes_held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, seen, started = secrets.token_hex(8), _Seen(), self._clock()
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_seen(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = dict(message.get("headers", ()))
                seen.status = message["status"]
                seen.problem = headers.get(b"x-problem-code", b"").decode("latin-1")
                message["headers"] = [*_without(message.get("headers", ()), b"x-request-id"), *_OWN_HEADERS]
                message["headers"].append((b"x-request-id", request_id.encode()))
            await send(message)

        try:
            await self._admit(scope, receive, send_seen, seen)
        finally:
            self._tell(scope, request_id, seen, max(0.0, self._clock() - started))

    async def _admit(self, scope: Scope, receive: Receive, send: Send, seen: _Seen) -> None:
        try:
            seen.key = self._check_head(scope)
        except ProblemError as problem:
            await _read_short_rest(scope, receive)
            await problem_response(problem, scope["state"]["request_id"])(scope, receive, send)
            return
        scope["state"]["key"] = seen.key
        is_batch = scope["path"].startswith(BATCHES_PATH)
        body = _Body(self, receive, seen, limit=self._body_limit(scope), is_held=not is_batch)

        async def send_after_body(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.is_whole:
                await _read_short_rest(scope, receive)
                body.is_whole = True
            await send(message)

        try:
            await self._app(scope, body.receive, send_after_body)
        finally:
            self._n_bytes_held -= body.n_held

    def _check_head(self, scope: Scope) -> ApiKey:
        # h11 bounds only what has not yet come whole.
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._limits.header_bytes:
            raise ProblemError(431, "headers_too_large", "Expected shorter headers. Send fewer, or without cookies.")
        headers = dict(scope["headers"])
        key = self._key_of(scope, headers)
        if scope["path"] not in OPEN_PATHS and (wait_s := self._limiter.wait_s(key.sha256)):
            limit = self._limits.requests_per_minute
            raise ProblemError(
                429,
                "too_many_requests",
                f"Expected at most {limit} requests a minute with one key. Send it again in {wait_s} s.",
                retry_after_s=wait_s,
            )
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise ProblemError(415, "encoded_body", "Expected a body without Content-Encoding. Send it as it is.")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > (limit := self._body_limit(scope)):
            raise _too_large(limit)
        return key

    def _key_of(self, scope: Scope, headers: dict[bytes, bytes]) -> ApiKey:
        if not self._keys:
            _check_host(headers.get(b"host", b"").decode("latin-1"))
            return ANYBODY
        if scope["path"] in OPEN_PATHS:
            return ANYBODY
        kind, _, presented = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        key = find_key(self._keys, presented.strip()) if kind.lower() == "bearer" else None
        if key is None:
            raise ProblemError(
                401,
                "no_valid_key",
                "Expected a valid API key in the header 'Authorization: Bearer KEY'. There is none.",
            )
        return key

    def _body_limit(self, scope: Scope) -> int:
        return self._limits.batch_bytes if scope["path"].startswith(BATCHES_PATH) else self._limits.body_bytes

    def hold(self, n_bytes: int) -> None:
        """Count bytes of a body that lie in memory.

        Raises:
            ProblemError: If all bodies together would be too large.
        """
        if self._n_bytes_held + n_bytes > self._limits.all_bodies_bytes:
            raise ProblemError(
                503, "too_many_uploads", "Busy: too much is being uploaded now. Send it again in 5 s.", retry_after_s=5
            )
        self._n_bytes_held += n_bytes

    def check_pace(self, started: float, n_bytes: int) -> None:
        """Refuse a body that has come too slowly since it began.

        Raises:
            ProblemError: If it has.
        """
        limits = self._limits
        if self._clock() - started > limits.body_grace_s + n_bytes / limits.body_bytes_per_s:
            raise _too_slow()

    @property
    def body_gap_s(self) -> float:
        """How long a body may pause."""
        return self._limits.body_gap_s

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def _tell(self, scope: Scope, request_id: str, seen: _Seen, seconds: float) -> None:
        path = getattr(scope.get("route"), "path", None) or "unmatched"
        self._meters.count_request(
            method=scope["method"], path=path, status=seen.status, seconds=seconds, problem=seen.problem
        )
        self._log.info(
            "request",
            request_id=request_id,
            key=seen.key.name,
            method=scope["method"][:10],
            path=path,
            status=seen.status,
            problem=seen.problem or None,
            duration_ms=round(1000 * seconds, 1),
            received_bytes=seen.n_bytes,
            **scope["state"].get("counts", {}),
        )


class _Body:
    """A request's body, bounded in size and pace while it comes."""

    def __init__(self, entrance: Entrance, receive: Receive, seen: _Seen, *, limit: int, is_held: bool) -> None:
        self._entrance, self._receive, self._seen = entrance, receive, seen
        self._limit, self._is_held = limit, is_held
        self._started = entrance.now()
        self.is_whole = False
        self.n_held = 0

    async def receive(self) -> Message:
        if self.is_whole:  # what is left to wait for is that the client leaves
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), self._entrance.body_gap_s)
        except TimeoutError as error:
            raise _too_slow() from error
        self.is_whole = not message.get("more_body", False)
        n_bytes = len(message.get("body", b""))
        self._seen.n_bytes += n_bytes
        if self._seen.n_bytes > self._limit:
            raise _too_large(self._limit)
        if self._is_held:
            self._entrance.hold(n_bytes)
            self.n_held += n_bytes
        if not self.is_whole:
            self._entrance.check_pace(self._started, self._seen.n_bytes)
        return message


_OWN_HEADERS = [
    (b"cache-control", b"no-store"),  # what is said of a person is kept by nobody on the way
    (b"x-content-type-options", b"nosniff"),
]


def _without(headers: Sequence[tuple[bytes, bytes]], name: bytes) -> list[tuple[bytes, bytes]]:
    return [header for header in headers if header[0].lower() != name]


def _check_host(host: str) -> None:
    """A server without keys answers its own machine's names alone: another site's page may lead its name here."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    if name.lower() not in _OWN_NAMES:
        raise ProblemError(
            421, "other_host", "This server has no API keys, so it answers at localhost only. Make a key to open it."
        )


async def _read_short_rest(scope: Scope, receive: Receive) -> None:
    """Read a short body to its end before answering: a connection that is closed on unread bytes loses the answer."""
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    is_short = length.isdigit() and int(length) <= _LINGER_BYTES
    if not is_short or b"expect" in headers:
        return
    try:
        async with asyncio.timeout(_LINGER_S):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        return


def _too_large(limit: int) -> ProblemError:
    return ProblemError(
        413, "body_too_large", f"Expected a request of at most {limit // 2**20} MB. It is larger. Send less at once."
    )


def _too_slow() -> ProblemError:
    return ProblemError(
        408, "body_too_slow", "Expected the request's body without long pauses. It came too slowly. Send it again."
    )
