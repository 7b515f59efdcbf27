"""Makes the 200x150 view of HAM10000 that the models train on, and of its masks, from the public archive's 600x450 files.

The archive (https://doi.org/10.7910/DVN/DBW86T) is downloaded by the user, who accepts its terms there.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import DatasetError, PhotoError, TableError
from ..evaluation.files import prepare_folder, write_file
from ..imaging.decode import read_photo
from ..tables import SHIPPED_SPLITS, read_table
from ..taxonomy import is_unknown
from .masks import write_mask

VIEW_PX = (200, 150)
COLUMNS = (
    *("image_id", "lesion_id", "dx", "dx_isic2019", "dx_type", "age_approx", "sex", "localization"),
    *("image_type", "split", "fold", "source", "licence"),
)
_METADATA_NAMES = ("HAM10000_metadata", "HAM10000_metadata.csv", "HAM10000_metadata.tab")
_PHOTO_NAME = re.compile(r"(ISIC_\d{7})\.jpe?g", re.IGNORECASE)
_MASK_NAME = re.compile(r"(ISIC_\d{7})_segmentation\.png", re.IGNORECASE)
# As the view's own files: their luminance table is libjpeg's for quality 75, their colour is halved both ways. Of
# Pillow's filters, Lanczos comes nearest to their sharpness (compared through the 224 px view of the same photos).
_JPEG = {"quality": 75, "subsampling": "4:2:0"}


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did.

    Attributes:
        n_photos: Rows of the new ``metadata.csv``.
        n_made: Photos made now; the others were there from an earlier run.
        n_outside_split: Photos of the archive that the shipped split does not use.
        missing: Photos of the split that the source lacks.
        n_masks: Photos with a mask of their lesion.
    """

    n_photos: int
    n_made: int
    n_outside_split: int
    missing: tuple[str, ...]
    n_masks: int


def import_ham10000(
    source: Path,
    out: Path,
    *,
    isic2019_labels: Path | None = None,
    split_table: Path = SHIPPED_SPLITS / "ham10000.csv",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ImportSummary:
    """Write ``images/``, ``metadata.csv`` and, of photos that have one, ``masks/``; what was made already is kept.

    Args:
        source: Folder with HAM10000_metadata and the JPEG files, in one folder or in the archive's two parts; the masks
            where ``HAM10000_segmentations_lesion_tschandl`` was unpacked too.
        out: The data set folder.
        isic2019_labels: ``ISIC_2019_Training_GroundTruth.csv``, which parts akiec into AK and SCC; None leaves it
            whole.
        split_table: Which photos are used, and in which split and fold.
        on_progress: Called with (done, total).

    Raises:
        DatasetError: If the source is not the archive, or a photo or mask of it is damaged; names the file.
        TableError: If a table cannot be read.
        OutputError: If ``out`` cannot be written.
    """
    table_rows = read_table(_find_metadata(source), what="HAM10000_metadata")
    _check_columns(table_rows[0])
    rows = {row["image_id"]: row for row in table_rows}
    files, masks = _find_named(source, _PHOTO_NAME), _find_named(source, _MASK_NAME)
    with split_table.open(newline="", encoding="utf-8") as file:
        split = {row["image_id"]: row for row in csv.DictReader(file)}
    finer = {} if isic2019_labels is None else _read_isic2019(isic2019_labels)
    used = [image_id for image_id in sorted(split) if image_id in rows and image_id in files]
    if not used:
        raise DatasetError(
            f"Expected photos of HAM10000 in '{source}', such as {next(iter(sorted(split)))}.jpg. None of those that "
            "metadata and split name is there. Unpack HAM10000_images_part_1.zip and _part_2.zip into it."
        )
    prepare_folder(out / "images")
    n_made = 0
    for done, image_id in enumerate(used, start=1):
        n_made += _make_view(files[image_id], out / "images" / f"{image_id}.jpg")
        on_progress(done, len(used))
    masked = [image_id for image_id in used if image_id in masks]
    if masked:
        prepare_folder(out / "masks")
    for image_id in masked:
        write_mask(masks[image_id], out / "masks" / f"{image_id}.png", photo=out / "images" / f"{image_id}.jpg")
    table = [_row(rows[image_id], split[image_id], finer.get(image_id, "")) for image_id in used]
    write_file(out / "metadata.csv", _to_csv(table).encode())
    missing = tuple(image_id for image_id in sorted(split) if image_id not in set(used))
    return ImportSummary(len(used), n_made, len(set(files) - set(split)), missing, len(masked))


def _find_metadata(source: Path) -> Path:
    found = next((source / name for name in _METADATA_NAMES if (source / name).is_file()), None)
    if found is None:
        raise DatasetError(
            f"Expected the archive's table HAM10000_metadata in '{source}'. It is not there. "
            "Download HAM10000 from https://doi.org/10.7910/DVN/DBW86T and unpack it into that folder."
        )
    return found


def _check_columns(row: Mapping[str, str]) -> None:
    columns = set(row)
    if missing := {"lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"} - columns:
        raise DatasetError(
            f"HAM10000_metadata lacks the columns {', '.join(sorted(missing))}. "
            f"Received: {', '.join(sorted(columns))}. Use the archive's own table."
        )


def _find_named(source: Path, pattern: re.Pattern[str]) -> dict[str, Path]:
    named = ((pattern.fullmatch(path.name), path) for path in sorted(source.rglob("*")))
    return {match[1].upper(): path for match, path in named if match}


def _read_isic2019(table: Path) -> dict[str, str]:
    """Return image_id -> the class that the challenge's one-hot row names."""
    rows = read_table(table, what="The ISIC 2019 labels")
    if missing := {"image", "ak", "scc"} - set(rows[0]):
        raise TableError(
            f"The ISIC 2019 labels lack the columns {', '.join(sorted(missing))}. "
            f"Received: {', '.join(rows[0])}. Use ISIC_2019_Training_GroundTruth.csv."
        )
    return {
        row.get("image", ""): next((name.upper() for name, value in row.items() if value in ("1", "1.0")), "")
        for row in rows
    }


def _make_view(source: Path, target: Path) -> bool:
    """Write one photo of the view; False when it was there already."""
    if _is_view(target):
        return False
    try:
        photo = Image.fromarray(read_photo(source))
    except PhotoError as error:
        raise DatasetError(f"The archive's photo '{source.name}' is damaged: {error} Download it again.") from error
    width, height = photo.size
    if width * VIEW_PX[1] != height * VIEW_PX[0] or width < VIEW_PX[0]:
        raise DatasetError(
            f"Expected '{source.name}' at 600x450 px, as the archive has it. Received {width}x{height} px. "
            "Use the archive's own files."
        )
    buffer = io.BytesIO()
    photo.resize(VIEW_PX, Image.Resampling.LANCZOS).save(buffer, "JPEG", **_JPEG)
    write_file(target, buffer.getvalue())
    return True


def _is_view(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with Image.open(path) as image:
            return image.size == VIEW_PX
    except UnidentifiedImageError:
        return False


def _row(row: Mapping[str, str], split: Mapping[str, str], dx_isic2019: str) -> dict[str, str]:
    def known(text: str) -> str:
        return "" if is_unknown(text) else text

    return {
        "image_id": row["image_id"],
        "lesion_id": row["lesion_id"],
        "dx": row["dx"],
        "dx_isic2019": dx_isic2019,
        "dx_type": row["dx_type"],
        "age_approx": known(row["age"]).removesuffix(".0"),
        "sex": known(row["sex"]),
        "localization": known(row["localization"]),
        "image_type": "dermoscopic",
        "split": split["split"],
        "fold": split["fold"],
        "source": "HAM10000",
        "licence": "CC-BY-NC",
    }


def _to_csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
