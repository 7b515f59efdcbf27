"""Fetches a few public-domain (CC0) example photos from the ISIC archive's public API, for people who are online."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..datasets.isic_api import API_URL, IsicApi
from ..errors import DatasetError
from ..evaluation.files import prepare_folder, write_file
from ..tables import safe_cell

__all__ = ["API_URL", "fetch_examples"]

CC0 = "CC-0"
_TIMEOUT_S = 20.0
_COLUMNS = ("image_id", "copyright_license", "attribution", "image_type", "age_approx", "sex", "anatom_site_general")


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
    api = IsicApi(api_url, timeout_s=timeout_s)
    prepare_folder(out)
    pages = api.search(f"copyright_license:{CC0} AND image_type:dermoscopic", limit=n_photos)
    found = [photo for photo in next(pages) if photo.get("copyright_license") == CC0][:n_photos]
    if not found:
        raise DatasetError("Expected CC0 photos from the ISIC archive. It listed none. Try again later.")
    paths = []
    for done, photo in enumerate(found, start=1):
        paths.append(api.fetch_photo(photo, out))
        on_progress(done, len(found))
    write_file(out / "metadata.csv", _to_csv(found).encode())
    return paths


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
