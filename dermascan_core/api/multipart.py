"""Multipart bodies, read part by part as they come: sizes are counted, and nothing is taken that no limit bounds.

Starlette's own form parser bounds no file and writes large ones to a temporary file; here photos of one lesion stay in
memory, and those of a batch go straight into its folder.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..errors import OutputError
from ..imaging.decode import MAX_SIZE_BYTES
from .problems import ProblemError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_NAME_SIGNS = 255


@dataclass(slots=True)
class Part:
    """One part of a body.

    Attributes:
        name: Of the form field; empty in ``multipart/related``.
        file_name: As the client gave it; untrusted text, never a path to open. None for a plain field.
        content_type: In lower case, without parameters; empty where none was given.
        body: What was sent, from its start.
        size_bytes: Of the body.
    """

    name: str = ""
    file_name: str | None = None
    content_type: str = ""
    body: BinaryIO = field(default_factory=io.BytesIO)
    size_bytes: int = 0

    @property
    def data(self) -> bytes:
        """The whole body."""
        self.body.seek(0)
        return self.body.read()

    @property
    def text(self) -> str:
        """The body as UTF-8.

        Raises:
            ProblemError: If it is something else.
        """
        try:
            return self.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ProblemError(
                422, "field_not_text", f"Expected the part '{self.name}' in UTF-8. It is not."
            ) from error


@dataclass(frozen=True, slots=True)
class PartRules:
    """What a body may hold.

    Attributes:
        subtype: ``form-data`` or ``related``.
        large: Names of the fields that may be large (photos, tables); in ``related`` every part may.
        max_large: How many of those.
        max_small: How many other parts.
        small_bytes: Of each of the others.
        large_bytes: Of each large one.
        open_body: Gives a place for the n-th large body, counted from 0.
        closes_bodies: Whether each large body is closed at its end, so that not all of many files are open at once.
    """

    subtype: str
    large: tuple[str, ...]
    max_large: int
    max_small: int
    small_bytes: int
    large_bytes: int = MAX_SIZE_BYTES
    open_body: Callable[[int], BinaryIO] = lambda index: io.BytesIO()
    closes_bodies: bool = False


async def read_parts(content_type: str, chunks: AsyncIterator[bytes], rules: PartRules) -> list[Part]:
    """Read a body to its end.

    Args:
        content_type: The request's header.
        chunks: The body as it comes.
        rules: What it may hold.

    Raises:
        ProblemError: 415 for another type, 400 for a body that is torn or malformed, 413 for one that is too large.
        OutputError: If the disk takes no more.
    """
    boundary = _boundary_of(content_type, rules.subtype)
    reader = _Reader(rules)
    try:
        parser = MultipartParser(boundary, reader.callbacks, max_header_count=8, max_header_size=2048)
        async for chunk in chunks:
            parser.write(chunk)
    except FormParserError as error:
        raise _malformed() from error
    except OSError as error:
        raise OutputError(
            f"The upload cannot be stored: {error.strerror}. Free the server's disk, then send it again."
        ) from error
    finally:
        reader.close_open_file()
    if not reader.is_whole:
        raise _malformed()
    return reader.parts


def _boundary_of(content_type: str, subtype: str) -> bytes:
    kind, options = parse_options_header(content_type)
    if kind != f"multipart/{subtype}".encode():
        came = kind.decode("latin-1")[:60] or "none"
        raise ProblemError(415, "other_media_type", f"Expected Content-Type multipart/{subtype}. Received: {came}.")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046, 5.1.1
        raise ProblemError(
            400, "no_boundary", "Expected a boundary of 1 to 70 signs in the Content-Type. Received none such."
        )
    return boundary


def _malformed() -> ProblemError:
    return ProblemError(
        400,
        "malformed_multipart",
        "Expected a whole multipart body. It is torn, or its parts are not divided by the boundary. Send it again.",
    )


class _Reader:
    """Collects what the parser reports."""

    def __init__(self, rules: PartRules) -> None:
        self.parts: list[Part] = []
        self.is_whole = False
        self.callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin_part,
            "on_header_field": self._add_to_header_name,
            "on_header_value": self._add_to_header_value,
            "on_header_end": self._end_header,
            "on_headers_finished": self._end_headers,
            "on_part_data": self._add_data,
            "on_part_end": self._end_part,
            "on_end": self._end,
        }
        self._rules = rules
        self._n_large = self._n_small = 0
        self._is_large = False
        self._part = Part()
        self._header_name, self._header_value = bytearray(), bytearray()

    def _begin_part(self) -> None:
        self._part, self._is_large = Part(), False

    def _add_to_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _add_to_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        name, value = bytes(self._header_name).lower(), bytes(self._header_value)
        self._header_name, self._header_value = bytearray(), bytearray()
        if name == b"content-type":
            self._part.content_type = value.split(b";")[0].strip().lower().decode("latin-1")
        if name == b"content-disposition":
            _, options = parse_options_header(value)
            self._part.name = _text(options.get(b"name", b""))
            if b"filename" in options:
                self._part.file_name = _text(options[b"filename"])[:MAX_NAME_SIGNS]

    def _end_headers(self) -> None:
        rules = self._rules
        self._is_large = rules.subtype == "related" or self._part.name in rules.large
        if self._is_large:
            if self._n_large >= rules.max_large:
                raise ProblemError(
                    413, "too_many_parts", f"Expected at most {rules.max_large} photos or files. Send fewer."
                )
            self._part.body = rules.open_body(self._n_large)
            self._n_large += 1
        else:
            self._n_small += 1
            if self._n_small > rules.max_small:
                raise ProblemError(
                    413, "too_many_parts", f"Expected at most {rules.max_small} form fields. Send fewer."
                )
        self.parts.append(self._part)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        part, rules = self._part, self._rules
        part.size_bytes += end - start
        limit = rules.large_bytes if self._is_large else rules.small_bytes
        if part.size_bytes > limit:
            if part.file_name and not self._is_large:
                wanted = " or ".join(f"'{name}'" for name in sorted(rules.large))
                raise ProblemError(
                    422, "file_field_unknown", f"Expected photos in {wanted}. One came in another field."
                )
            size = f"{limit // 2**20} MB" if limit >= 2**20 else f"{limit // 1024} kB"
            raise ProblemError(413, "part_too_large", f"Expected at most {size} in one photo or field. One is larger.")
        part.body.write(data[start:end])

    def _end_part(self) -> None:
        self.close_open_file()

    def close_open_file(self) -> None:
        """Close the large body that is being written; a torn request leaves it open."""
        if self._is_large and self._rules.closes_bodies:
            self._part.body.close()

    def _end(self) -> None:
        self.is_whole = True


def _text(raw: bytes) -> str:
    """Read a header's text; signs that cannot be shown on one line are left out."""
    return "".join(sign for sign in raw.decode("utf-8", "replace") if sign.isprintable())
