"""The ISIC archive's public API, version 2: lists photos page by page and fetches files, with patience and limits.

The one place that opens a connection for photos; what is fetched, and where it goes, is decided by its callers.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from .. import __version__
from ..errors import DatasetError, PhotoError
from ..evaluation.files import write_file
from ..imaging.decode import decode_photo

API_URL = "https://api.isic-archive.com/api/v2"
MAX_PHOTO_BYTES = 20 * 1024 * 1024
MAX_PAGE_BYTES = 5 * 1024 * 1024
MAX_PAGE_PHOTOS = 100
_ISIC_ID = re.compile(r"ISIC_\d{7}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
_LONGEST_WAIT_S = 120.0


@dataclass(frozen=True, slots=True)
class IsicApi:
    """How the archive is asked.

    Attributes:
        url: Of the API; https, or http on this machine.
        timeout_s: For each request.
        attempts: How often a request is made before it counts as failed: on a lost or torn connection, a server's
            failure, and when the archive asks to slow down (429), after as long as its ``Retry-After`` says.
        sleep: Waits that many seconds.
    """

    url: str = API_URL
    timeout_s: float = 20.0
    attempts: int = 1
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        _check_address(self.url)

    def search(
        self, query: str, *, collections: str = "", limit: int = MAX_PAGE_PHOTOS
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield pages of photos as the archive describes them; those without a usable name or file are left out.

        Args:
            query: In the archive's search language, such as ``image_type:dermoscopic``; empty for all.
            collections: Collection numbers, comma-separated; empty for all.
            limit: Photos a page.

        Raises:
            DatasetError: If the archive cannot be reached, or answers with something else.
        """
        asked = {"query": query, "limit": str(limit)} | ({"collections": collections} if collections else {})
        url: str | None = f"{self.url}/images/search/?{urlencode(asked)}"
        while url:
            data = self.download(url, max_bytes=MAX_PAGE_BYTES)
            try:
                page = json.loads(data)
                photos = [p for p in page["results"] if _ISIC_ID.fullmatch(p["isic_id"]) and p["files"]["full"]["url"]]
                url = page.get("next")
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise DatasetError(
                    "Expected a list of photos from the ISIC archive. It answered something else; its interface may "
                    "have changed. Try again later, or use the example images of the app."
                ) from error
            yield photos
            if url and urlsplit(url).hostname != urlsplit(self.url).hostname:
                raise DatasetError(
                    f"Expected the next page from {urlsplit(self.url).hostname}. The archive named "
                    f"{urlsplit(url).hostname}. Try again later."
                )

    def fetch_photo(self, photo: Mapping[str, Any], folder: Path) -> Path:
        """Write one photo into the folder, whole or not at all; one that is there already is not fetched again.

        Raises:
            DatasetError: If it cannot be fetched, or is no photo.
            OutputError: If it cannot be written.
        """
        path = folder / f"{photo['isic_id']}.jpg"
        if path.is_file():
            return path
        url = str(photo["files"]["full"]["url"])
        if urlsplit(self.url).hostname not in _LOOPBACK:
            _check_address(url)
        data = self.download(url, max_bytes=MAX_PHOTO_BYTES)
        try:
            decode_photo(data)
        except PhotoError as error:
            raise DatasetError(f"The ISIC archive's '{photo['isic_id']}' cannot be used: {error}") from error
        write_file(path, data)
        return path

    def download(self, url: str, *, max_bytes: int) -> bytes:
        """Return what lies at an address.

        Raises:
            DatasetError: If it cannot be had in ``attempts``, or is larger than ``max_bytes``.
        """
        host = urlsplit(url).hostname
        for attempt in range(1, self.attempts + 1):
            try:
                data = self._request(url, max_bytes)
                break
            except (OSError, HTTPException) as error:  # URLError, timeouts and torn transfers among them
                if attempt == self.attempts or not _may_pass(error):
                    raise DatasetError(
                        f"Expected an answer from {host}. It cannot be reached ({getattr(error, 'reason', error)}). "
                        "Check the connection. Everything else works offline, with the example images of the app."
                    ) from error
                self.sleep(_wait_s(error, attempt))
        if len(data) > max_bytes:
            raise DatasetError(f"Expected at most {max_bytes // 2**20} MB from {host}. It sent more. Try again later.")
        return data

    def _request(self, url: str, max_bytes: int) -> bytes:
        request = Request(url, headers={"User-Agent": f"dermascan/{__version__}"})  # noqa: S310  # _check_address
        with urlopen(request, timeout=self.timeout_s) as response:  # noqa: S310
            data: bytes = response.read(max_bytes + 1)
            announced = int(response.headers.get("Content-Length") or len(data))
        if len(data) < min(announced, max_bytes + 1):
            raise URLError(f"the transfer broke off after {len(data)} of {announced} bytes")
        return data


def _may_pass(error: Exception) -> bool:
    return not isinstance(error, HTTPError) or error.code in _TRY_AGAIN


def _wait_s(error: Exception, attempt: int) -> float:
    """Return how long to wait: what the archive asks for, else 1, 2, 4 ... seconds."""
    asked = error.headers.get("Retry-After", "") if isinstance(error, HTTPError) else ""
    wait = 2.0 ** (attempt - 1)
    if asked.strip().isdigit():
        wait = float(asked)
    elif asked:
        with contextlib.suppress(ValueError):
            wait = parsedate_to_datetime(asked).timestamp() - time.time()
    return min(max(wait, 0.0), _LONGEST_WAIT_S)


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise DatasetError(f"Expected an address that begins with https://. Received '{url}'. Correct --api-url.")
