"""Downloads photos with their diagnoses, licences and attributions from the ISIC archive into a data set folder."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..errors import DatasetError, OutputError, TableError
from ..evaluation.files import prepare_folder
from ..tables import read_table
from ..taxonomy import is_unknown, parse_archive_diagnosis, parse_isic_levels
from .form import Row, free_text, write_rows
from .isic_api import MAX_PAGE_PHOTOS, IsicApi

N_CONNECTIONS = 4
_ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4", "V": "5", "VI": "6"}
_LEVELS = tuple(f"diagnosis_{n}" for n in range(1, 6))


@dataclass(frozen=True, slots=True)
class DownloadSummary:
    """What a download did.

    Attributes:
        n_photos: Photos of the query that are there now.
        n_fetched: Of these, fetched by this run.
        failed: Name -> why a photo could not be had.
        licences: Licence -> photos.
    """

    n_photos: int
    n_fetched: int
    failed: Mapping[str, str]
    licences: Mapping[str, int]


def download_photos(
    out: Path,
    *,
    query: str = "",
    collections: str = "",
    n_photos: int = 100,
    api: IsicApi | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> DownloadSummary:
    """Fetch photos into ``images/`` and write ``metadata.csv``, page by page; photos that are there are not fetched again.

    Each photo is written whole or not at all, and the table after every page, so a download that was stopped goes on.
    Rows of earlier downloads into the same folder stay.

    Args:
        out: The data set folder.
        query: In the archive's search language; empty for all.
        collections: Collection numbers, comma-separated; empty for all.
        n_photos: At most so many.
        api: How the archive is asked; None for the public one, each request tried five times.
        on_progress: Called with (done, total).

    Raises:
        DatasetError: If the archive cannot be reached, answers with something else, or lists nothing.
        OutputError: If the disk is too full, or ``out`` cannot be written.
    """
    api = api or IsicApi(attempts=5)
    prepare_folder(out / "images")
    table = out / "metadata.csv"
    rows = {row["image_id"]: row for row in read_table(table)} if table.is_file() else {}
    there = {path.stem for path in (out / "images").glob("*.jpg")}
    found: list[dict[str, Any]] = []
    failed: dict[str, str] = {}
    for page in api.search(query, collections=collections, limit=min(n_photos, MAX_PAGE_PHOTOS)):
        part = page[: n_photos - len(found)]
        _check_space(out, [photo for photo in part if photo["isic_id"] not in there])
        advance = partial(_advance, on_progress, len(found), n_photos)
        failed |= _fetch(api, part, out / "images", advance)
        found += part
        rows |= {photo["isic_id"]: metadata_row(photo) for photo in part if photo["isic_id"] not in failed}
        if rows:
            write_rows(table, [rows[name] for name in sorted(rows)])
        if len(found) >= n_photos:
            break
    if not found:
        raise DatasetError(
            f"Expected photos for the query '{query}' (collections: {collections or 'all'}). The archive lists none. "
            "Correct --query or --collection."
        )
    had = [photo for photo in found if photo["isic_id"] not in failed]
    return DownloadSummary(
        n_photos=len(had),
        n_fetched=sum(photo["isic_id"] not in there for photo in had),
        failed=failed,
        licences=dict(Counter(str(photo.get("copyright_license") or "not stated") for photo in had)),
    )


def _advance(on_progress: Callable[[int, int], None], n_before: int, n_photos: int, n_done: int) -> None:
    on_progress(n_before + n_done, n_photos)


def _fetch(api: IsicApi, photos: list[dict[str, Any]], folder: Path, on_done: Callable[[int], None]) -> dict[str, str]:
    """Fetch one page's photos; return name -> why one could not be had."""

    def fetch(photo: Mapping[str, Any]) -> str:
        try:
            api.fetch_photo(photo, folder)
        except DatasetError as error:
            return str(error)
        return ""

    failed = {}
    with ThreadPoolExecutor(max_workers=N_CONNECTIONS) as pool:
        for done, (photo, why) in enumerate(zip(photos, pool.map(fetch, photos), strict=True), start=1):
            if why:
                failed[str(photo["isic_id"])] = why
            on_done(done)
    return failed


def _check_space(out: Path, photos: list[dict[str, Any]]) -> None:
    needed = sum(int(photo["files"]["full"].get("size") or 0) for photo in photos)
    free = shutil.disk_usage(out).free
    if needed > free:
        raise OutputError(
            f"Expected {needed / 2**20:,.0f} MB of free space for the next photos in '{out}'. The disk has "
            f"{free / 2**20:,.0f} MB. Free some space and start again; what is there is kept."
        )


def metadata_row(photo: Mapping[str, Any]) -> Row:
    """Return the row of a photo as the archive's API describes it."""
    metadata = photo.get("metadata") or {}
    known: dict[str, Any] = {**(metadata.get("clinical") or {}), **(metadata.get("acquisition") or {})}

    def text(name: str) -> str:
        value = known.get(name, photo.get(name))
        return "" if is_unknown(value) else str(value)

    levels = [text(name) for name in _LEVELS]
    finest = next((level for level in reversed(levels) if level), text("diagnosis"))
    try:
        dx = parse_isic_levels(levels) or parse_archive_diagnosis(text("diagnosis"))
    except TableError:
        dx = ""  # a diagnosis that no class of ours holds
    nature = (levels[0] or text("benign_malignant")).lower()
    return {
        "image_id": str(photo["isic_id"]),
        "dx": dx,
        "target": {"malignant": "1", "benign": "0"}.get(nature, ""),
        "diagnosis": free_text(finest),
        "anatom_site_general": text("anatom_site_general"),
        "image_type": text("image_type"),
        "fitzpatrick_skin_type": _ROMAN.get(text("fitzpatrick_skin_type"), text("fitzpatrick_skin_type")),
        "dx_type": text("diagnosis_confirm_type"),
        **{name: text(name) for name in ("lesion_id", "patient_id", "age_approx", "sex", "clin_size_long_diam_mm")},
        "source": "ISIC archive",
        "licence": str(photo.get("copyright_license") or ""),
        "attribution": free_text(str(photo.get("attribution") or "")),
    }
