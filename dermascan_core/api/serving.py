"""Opens the port and runs the server: who may reach it, and how long a client may take to say what it wants."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ServeError
from .application import Built
from .keys import ApiKey
from .limits import Limits

OWN_HOSTS = ("127.0.0.1", "localhost", "::1")
# Above it the server answers a bare 503 without a word on when to come again. A thousand people who wait are held: each
# takes a file handle and a few kB, and the bodies of all together are bounded apart.
MAX_CONNECTIONS = 4096
_OTHER_FILES = 256  # logs, batches, weights
_STOP_WITHIN_S = 20


def check_address(host: str, keys: Sequence[ApiKey]) -> None:
    """Refuse to open a server without keys to other machines.

    Raises:
        ServeError: If there is no key and the address is not this machine's own.
    """
    if not keys and host not in OWN_HOSTS:
        raise ServeError(
            f"Without any API key the server listens at 127.0.0.1 alone. Received --host {host}. "
            "Make a key first: python -m dermascan_core serve --new-key NAME"
        )


def check_own_engine() -> None:
    """Refuse to serve answers that would be asked for elsewhere, perhaps here again.

    Raises:
        ServeError: If ``DERMASCAN_API_URL`` is set.
    """
    if address := os.environ.get("DERMASCAN_API_URL"):
        raise ServeError(
            f"Expected DERMASCAN_API_URL to be unset where the server runs. Received '{address}'. "
            "Set it for the app alone, which is to ask this server."
        )


def allow_connections(wanted: int) -> int:
    """Raise this process's limit of open files where it may be raised; return how many connections fit, 256 kept apart."""
    if sys.platform == "win32":
        return wanted
    import resource  # not there on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + _OTHER_FILES:
        soft = min(wanted + _OTHER_FILES, hard) if hard != resource.RLIM_INFINITY else wanted + _OTHER_FILES
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - _OTHER_FILES))


def open_port(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; port 0 takes a free one.

    Raises:
        ServeError: If the port is taken, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ServeError(
                f"Expected port {port} of {host} to be free. Another program listens there. "
                "Stop it, or choose another port with --port."
            ) from error
        raise ServeError(
            f"The server cannot listen at {host}, port {port}: {error.strerror}. Choose others with --host and --port."
        ) from error
    return listener


def make_server(built: Built, limits: Limits) -> uvicorn.Server:
    """Return the server; ``server.run(sockets=[...])`` serves until it is told to stop."""

    def protocol(*arguments: Any, **options: Any) -> PatientProtocol:
        return PatientProtocol(*arguments, header_timeout_s=limits.header_timeout_s, **options)

    return uvicorn.Server(
        uvicorn.Config(
            built.asgi,
            http=protocol,  # type: ignore[arg-type]
            ws="none",
            lifespan="on",
            log_config=None,  # `logs.start_log` has set it up
            access_log=False,  # `entrance` tells of each request, without its address
            server_header=False,
            proxy_headers=False,
            limit_concurrency=allow_connections(MAX_CONNECTIONS),
            timeout_keep_alive=limits.keep_alive_s,
            timeout_graceful_shutdown=_STOP_WITHIN_S,
            h11_max_incomplete_event_size=limits.header_bytes,
        )
    )


class PatientProtocol(H11Protocol):
    """Ends a connection whose client takes too long over its first line and headers; uvicorn itself waits for ever.

    One that idles is ended too, but never over a request that has come and was not read yet.
    """

    def __init__(self, *arguments: Any, header_timeout_s: float, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._header_timeout_s = header_timeout_s
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_headers()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def timeout_keep_alive_handler(self) -> None:
        # What came while the loop was busy lies unread when the time is up. To close on it would lose a request that
        # its client may not send twice, as it cannot know how far it came.
        if self._has_unread():
            again_s = self.timeout_keep_alive
            self.timeout_keep_alive_task = self.loop.call_later(again_s, self.timeout_keep_alive_handler)
            return
        # Said at once: `close` does so in the loop's next round, and until then a client takes the connection for open.
        with suppress(OSError):  # the client is gone already
            self.transport.write_eof()
        super().timeout_keep_alive_handler()

    def _has_unread(self) -> bool:
        """Whether a first byte waits, or the end of the connection."""
        try:
            with self.transport.get_extra_info("socket").dup() as waiting:
                return bool(waiting.recv(1, socket.MSG_PEEK))
        except OSError:  # nothing waits, or the connection is gone
            return False

    @property
    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _watch_headers(self) -> None:
        if not self._is_between_requests:
            self._stop_watching()
        elif self._header_timer is None:
            self._header_timer = self.loop.call_later(self._header_timeout_s, self._give_up)

    def _stop_watching(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _give_up(self) -> None:
        self._header_timer = None
        if self._is_between_requests:
            self.transport.abort()


def serve(built: Built, listener: socket.socket, limits: Limits, *, on_open: Callable[[str], None]) -> None:
    """Serve until a signal says stop; what runs then is finished.

    Args:
        built: The application.
        listener: From ``open_port``.
        limits: Times and sizes.
        on_open: Told the address before the first request.
    """
    host, port = listener.getsockname()[:2]
    on_open(f"http://{f'[{host}]' if ':' in host else host}:{port}")
    make_server(built, limits).run(sockets=[listener])
