"""Fetches a few public-domain (CC0) example photos from the ISIC archive's public API, for people who are online."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

from .. import __version__
from ..errors import DatasetError, PhotoError
from ..evaluation.files import prepare_folder, write_file
from ..imaging.decode import decode_photo
from ..reports.export import safe_cell

API_URL = "https://api.isic-archive.com/api/v2"
CC0 = "CC-0"
MAX_PHOTO_BYTES = 20 * 1024 * 1024
MAX_PAGE_BYTES = 5 * 1024 * 1024
_TIMEOUT_S = 20.0
_COLUMNS = ("image_id", "copyright_license", "attribution", "image_type", "age_approx", "sex", "anatom_site_general")
_ISIC_ID = re.compile(r"ISIC_\d{7}")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def fetch_examples(
    out: Path,
    *,
    n_photos: int = 6,
    api_url: str = API_URL,
    timeout_s: float = _TIMEOUT_S,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Path]:
    """Download CC0 dermoscopic photos and a ``metadata.csv`` that ``screen --metadata`` reads.

    Args:
        out: Folder; made if need be. Photos already there are not fetched again.
        n_photos: How many, at least 1.
        api_url: Of the archive.
        timeout_s: For each request.
        on_progress: Called with (done, total).

    Returns:
        The photos' files.

    Raises:
        DatasetError: If the archive cannot be reached, or answers with something else.
        OutputError: If ``out`` cannot be written.
    """
    _check_address(api_url)
    prepare_folder(out)
    query = {"query": f"copyright_license:{CC0} AND image_type:dermoscopic", "limit": str(n_photos)}
    found = _search(f"{api_url}/images/search/?{urlencode(query)}", timeout_s)[:n_photos]
    paths = []
    for done, photo in enumerate(found, start=1):
        paths.append(_fetch(photo, out, api_url, timeout_s))
        on_progress(done, len(found))
    write_file(out / "metadata.csv", _to_csv(found).encode())
    return paths


def _search(url: str, timeout_s: float) -> list[dict[str, Any]]:
    try:
        page = json.loads(_download(url, timeout_s, MAX_PAGE_BYTES))
        photos = [photo for photo in page["results"] if photo["copyright_license"] == CC0]
        usable = [p for p in photos if _ISIC_ID.fullmatch(p["isic_id"]) and p["files"]["full"]["url"]]
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            "Expected a list of photos from the ISIC archive. It answered something else; its interface may have "
            "changed. Try again later, or use the example images of the app."
        ) from error
    if not usable:
        raise DatasetError("Expected CC0 photos from the ISIC archive. It listed none. Try again later.")
    return usable


def _fetch(photo: Mapping[str, Any], out: Path, api_url: str, timeout_s: float) -> Path:
    path = out / f"{photo['isic_id']}.jpg"
    if path.is_file():
        return path
    url = str(photo["files"]["full"]["url"])
    if urlsplit(api_url).hostname not in _LOOPBACK:
        _check_address(url)
    data = _download(url, timeout_s, MAX_PHOTO_BYTES)
    try:
        decode_photo(data)
    except PhotoError as error:
        raise DatasetError(f"The ISIC archive's '{photo['isic_id']}' cannot be used: {error}") from error
    write_file(path, data)
    return path


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise DatasetError(f"Expected an address that begins with https://. Received '{url}'. Correct --api-url.")


def _download(url: str, timeout_s: float, max_bytes: int) -> bytes:
    request = Request(url, headers={"User-Agent": f"dermascan/{__version__}"})  # noqa: S310  # checked by _check_address
    try:
        with urlopen(request, timeout=timeout_s) as response:  # noqa: S310
            data: bytes = response.read(max_bytes + 1)
    except (URLError, TimeoutError, ConnectionError, OSError) as error:
        why = getattr(error, "reason", error)
        raise DatasetError(
            f"Expected an answer from {urlsplit(url).hostname}. It cannot be reached ({why}). "
            "Check the connection. Everything else works offline, with the example images of the app."
        ) from error
    if len(data) > max_bytes:
        raise DatasetError(
            f"Expected at most {max_bytes // 2**20} MB from {urlsplit(url).hostname}. It sent more. Try again later."
        )
    return data


def _to_csv(photos: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for photo in photos:
        known = {**photo.get("metadata", {}).get("clinical", {}), **photo.get("metadata", {}).get("acquisition", {})}
        row = {"image_id": photo["isic_id"], "copyright_license": photo["copyright_license"]}
        row["attribution"] = safe_cell(str(photo.get("attribution") or ""))
        writer.writerow({name: row.get(name, known.get(name)) for name in _COLUMNS})
    return text.getvalue()
