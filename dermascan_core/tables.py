"""CSV tables that people bring: read with clear complaints, one row's fault never taking the others down."""

from __future__ import annotations

import csv
import hashlib
import io
import unicodedata
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from .domain import ImageType, Metadata, metadata_from_row
from .errors import MetadataError, TableError
from .taxonomy import HAM_MALIGNANT, ham_code, is_unknown, parse_diagnosis

SHIPPED_SPLITS = Path(__file__).parent / "training" / "splits"
MAX_TABLE_BYTES = 50 * 1024 * 1024
MAX_FILE_BYTES = 1024 * 1024 * 1024
PHOTO_ENDINGS = ("jpg", "jpeg", "png", "webp", "heic", "heif", "tif", "tiff", "bmp", "gif", "dcm")
_CONFIRMED_BY = {
    "histo": "histopathology",
    "follow_up": "follow-up",
    "serial imaging showing no change": "follow-up",
    "single image expert consensus": "consensus",
    "confocal microscopy with consensus dermoscopy": "confocal",
    "biopsed true": "histopathology",
    "biopsed false": "clinic",
}
# A spreadsheet runs a cell that begins with one of these (OWASP, "CSV Injection").
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_KEY_COLUMNS = ("image_id", "image", "img_id", "isic_id", "image_name", "file", "filename")
# A target beats an archive's own wording, which may be "unknown" where nobody took a biopsy.
_LABEL_COLUMNS = ("dx", "target", "diagnosis", "diagnostic")


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """One row of a labels table.

    Attributes:
        image_id: File name without its ending.
        dx: A class code, or HAM10000's ``akiec`` / ``bkl``; empty when only ``target`` is known.
        is_malignant: From ``dx`` or ``target``.
        metadata: What the row says about the person; unknown where empty.
        lesion_id, patient_id, split, fold: Empty when the table has no such column.
        confirmed_by: How the diagnosis was confirmed (``histopathology``, ``follow-up`` ...), for tables of results;
            empty when unknown. It follows from the diagnosis, so no network is ever told.
    """

    image_id: str
    dx: str
    is_malignant: bool
    metadata: Metadata = field(default_factory=Metadata)
    lesion_id: str = ""
    patient_id: str = ""
    split: str = ""
    fold: str = ""
    confirmed_by: str = ""

    @property
    def image_type(self) -> ImageType | None:
        """How the photo was taken; None when the table does not say.

        A tile of total-body photography counts as ``clinical``, for it is a close-up without a dermatoscope.
        """
        return self.metadata.image_type


def read_table(source: Path | bytes, *, what: str = "The table") -> list[dict[str, str]]:
    """Read a CSV (UTF-8 with or without BOM; comma, semicolon or tab) into dictionaries with lower-case keys.

    Raises:
        TableError: If the file is missing, not text, too large, or has no header and row.
    """
    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise TableError(f"Expected a CSV file at {str(source)!r}. It cannot be opened. Check the path.") from error
    # An upload is held to less than a file that someone named: the table of 400,000 lesions has 240 MB.
    max_bytes = MAX_TABLE_BYTES if isinstance(source, bytes) else MAX_FILE_BYTES
    if len(data) > max_bytes:
        raise TableError(f"{what} may have at most {max_bytes // 2**20} MB. Split it into parts.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TableError(
            f"{what} is not UTF-8 text (byte {error.start} cannot be read). Save it as 'CSV UTF-8' and try again."
        ) from error
    if "\x00" in text:
        raise TableError(f"{what} is not a CSV file: it holds binary data. Save the sheet as 'CSV UTF-8'.")
    first_line = text.partition("\n")[0]
    delimiter = max(",;\t", key=first_line.count)
    try:
        rows = [
            {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if isinstance(key, str)}
            for row in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
        _refuse_open_quote(text, delimiter)
    except csv.Error as error:
        raise TableError(f"{what} cannot be read as CSV: {error}. Save it as 'CSV UTF-8'.") from error
    if not rows:
        raise TableError(f"{what} is empty. Expected a header line and at least one row.")
    return rows


def _refuse_open_quote(text: str, delimiter: str) -> None:
    """Refuse a quote that nothing closes: it makes one cell of all the rows after it, and they would be lost unsaid.

    Raises:
        csv.Error: Says so.
    """
    # Such a quote swallows a last line put after the table.
    last = deque(csv.reader(io.StringIO(f"{text}\nend", newline=""), delimiter=delimiter), maxlen=1)
    if last != deque([["end"]]):
        raise csv.Error("a quotation mark is opened and never closed")


def key_column(columns: Iterable[str], *, what: str = "The table") -> str:
    """Return the name of the column that says which photo a row is about.

    Raises:
        TableError: If there is none.
    """
    present = list(columns)
    found = next((name for name in _KEY_COLUMNS if name in present), None)
    if found is None:
        raise TableError(
            f"{what} needs a column 'image_id' (or 'image') with the photo's file name. "
            f"Received the columns: {', '.join(present) or 'none'}. Add or rename the column."
        )
    return found


def photo_stem(name: str) -> str:
    """Return a photo's name without folder and ending.

    >>> photo_stem("a/b/ISIC_1.JPG"), photo_stem("ISIC_1")
    ('ISIC_1', 'ISIC_1')
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, _, ending = last.rpartition(".")
    return stem if stem and ending.lower() in PHOTO_ENDINGS else last


def photo_key(name: str) -> str:
    """Return what a photo is matched by: its stem in lower case.

    >>> photo_key("a/b/ISIC_1.JPG")
    'isic_1'
    """
    return photo_stem(name).lower()


def read_labels(source: Path | bytes, *, problems: list[str] | None = None) -> list[LabelledPhoto]:
    """Read a labels table: ``image_id`` and ``dx`` (or ``target`` 0/1), the rest optional.

    Args:
        source: The file, or its bytes.
        problems: Where given, one wrong row does not stop the others: a sentence goes in here, an impossible age, sex
            or site alone counts as unknown, and a row without a known diagnosis is left out.

    Raises:
        TableError: If a required column is missing; without ``problems`` also if a cell is wrong; names the row.
    """
    rows = read_table(source, what="The labels table")
    key = key_column(rows[0], what="The labels table")
    check_label_columns(rows[0])
    photos = []
    for line, row in enumerate(rows, start=2):
        wrong_cells: list[str] | None = None if problems is None else []
        try:
            photos.append(photo_from_row(row, key=key, wrong_cells=wrong_cells))
            if problems is not None:
                problems += [
                    f"The labels table, line {line}: {cell} It counts as unknown." for cell in wrong_cells or ()
                ]
        except (MetadataError, TableError) as error:
            sentence = f"The labels table, line {line}: {error}"
            if problems is None:
                raise TableError(sentence) from error
            problems.append(f"{sentence} The row is left out.")
    return photos


def check_label_columns(columns: Iterable[str]) -> None:
    """Refuse a table that has no column with a label.

    Raises:
        TableError: If it has none.
    """
    present = list(columns)
    if not set(_LABEL_COLUMNS) & set(present):
        raise TableError(
            "The labels table needs a column 'dx' with the diagnosis (or 'target' with 0 or 1). "
            f"Received the columns: {', '.join(present)}. Add or rename the column."
        )


def photo_from_row(row: dict[str, str], *, key: str, wrong_cells: list[str] | None = None) -> LabelledPhoto:
    """Read one row of a labels table.

    Args:
        row: Column -> text.
        key: The column with the photo's name.
        wrong_cells: Where given, an impossible age, sex or site counts as unknown, and a sentence goes in here.

    Raises:
        TableError: If the row has no name, or no diagnosis that is known.
        MetadataError: Without ``wrong_cells``, if a cell cannot be true.
    """
    # Row by row: a table joined from two archives may fill dx in some rows, target in the others.
    labels = [name for name in _LABEL_COLUMNS if name in row]
    label = next((name for name in labels if not is_unknown(row[name])), labels[0])
    if not row[key]:
        raise TableError(f"Expected a photo's name in '{key}'. The cell is empty.")
    if label == "target":
        if row["target"] not in ("0", "1", "0.0", "1.0"):
            raise TableError(f"Expected target 0 or 1. Received '{row['target']}'.")
        is_malignant = row["target"].startswith("1")
        dx = _agreeing_diagnosis(row, is_malignant=is_malignant)
    else:
        dx = parse_diagnosis(row[label])
        finer = row.get("dx_isic2019", "")
        if dx == "akiec" and not is_unknown(finer):
            dx = parse_diagnosis(finer)
        is_malignant = ham_code(dx) in HAM_MALIGNANT
    metadata = metadata_from_row(row, problems=wrong_cells)
    if metadata.image_type is None:
        metadata = replace(metadata, image_type=_archive_image_type(row))
    return LabelledPhoto(
        image_id=photo_stem(row[key]),
        dx=dx,
        is_malignant=is_malignant,
        metadata=metadata,
        lesion_id=row.get("lesion_id", ""),
        patient_id=row.get("patient_id", ""),
        split=row.get("split", ""),
        fold=row.get("fold", ""),
        confirmed_by=_confirmed_by(row),
    )


def _archive_image_type(row: dict[str, str]) -> ImageType | None:
    """Return how two archives' photos were taken, which their tables do not say: HAM10000's and PAD-UFES-20's."""
    if row.get("lesion_id", "").startswith("HAM_"):
        return ImageType.DERMOSCOPIC
    return ImageType.CLINICAL if "diagnostic" in row and "img_id" in row else None


def yes_no_or_unknown(text: str) -> bool | None:
    """Return True or False for the spellings of yes and no, None for anything else ("UNK", empty).

    >>> yes_no_or_unknown("True"), yes_no_or_unknown("0.0"), yes_no_or_unknown("UNK")
    (True, False, None)
    """
    return {"true": True, "yes": True, "1": True, "1.0": True}.get(
        text.lower(), False if text.lower() in ("false", "no", "0", "0.0") else None
    )


def _agreeing_diagnosis(row: dict[str, str], *, is_malignant: bool) -> str:
    """Return the diagnosis beside a target where it is one of ours and says the same; else nothing.

    So ISIC 2020's melanomas are known to be melanomas, and its "unknown" moles stay without a class.
    """
    for column in ("diagnosis", "diagnostic"):
        try:
            dx = parse_diagnosis(row.get(column, ""))
        except TableError:
            continue
        if (ham_code(dx) in HAM_MALIGNANT) is is_malignant:
            return dx
    return ""


def _confirmed_by(row: dict[str, str]) -> str:
    """Return how a diagnosis was confirmed, in one spelling: of HAM10000, the ISIC archive, or PAD-UFES-20."""
    text = row.get("dx_type") or row.get("diagnosis_confirm_type") or ""
    if not is_unknown(text):
        return _CONFIRMED_BY.get(text.lower(), text.lower())
    return _CONFIRMED_BY.get(f"biopsed {row['biopsed'].lower()}", "") if "biopsed" in row else ""


def group_of(photo: LabelledPhoto) -> str:
    """Return what must not be parted by a split: the patient where known, else the lesion, else the photo."""
    return photo.patient_id or photo.lesion_id or photo.image_id


def photos_by_patient(photos: Iterable[LabelledPhoto]) -> dict[str, list[LabelledPhoto]]:
    """Return patient -> photos, of the rows that name one."""
    found: dict[str, list[LabelledPhoto]] = {}
    for photo in photos:
        if photo.patient_id:
            found.setdefault(photo.patient_id, []).append(photo)
    return found


def photos_by_lesion(photos: Sequence[LabelledPhoto]) -> dict[str, list[LabelledPhoto]]:
    """Return lesion -> photos, of the rows that name one; the patient stands before the lesion where known.

    Archives number the lesions of a person anew, so lesion 1 of two people are two lesions. Rows that name a lesion and
    no patient belong to the one patient who has a lesion of that name; where several have one, nothing says whose it is,
    and such rows are a lesion of their own.

    >>> photos = [LabelledPhoto("a", "nv", False, lesion_id="L", patient_id="P"), LabelledPhoto("b", "nv", False, lesion_id="L")]
    >>> {lesion: [photo.image_id for photo in found] for lesion, found in photos_by_lesion(photos).items()}
    {'P L': ['a', 'b']}
    """
    owners: dict[str, set[str]] = {}
    for photo in photos:
        owners.setdefault(photo.lesion_id, set()).update({photo.patient_id} - {""})
    found: dict[str, list[LabelledPhoto]] = {}
    for photo in photos:
        if photo.lesion_id:
            known = owners[photo.lesion_id]
            patient = photo.patient_id or (next(iter(known)) if len(known) == 1 else "")
            found.setdefault(f"{patient} {photo.lesion_id}".strip(), []).append(photo)
    return found


def has_fold(photo: LabelledPhoto) -> bool:
    """Return whether the photo's fold is a number, 0 or more: only then can it be held out, or trained without another."""
    return photo.fold.isascii() and photo.fold.isdecimal()


def shipped_splits() -> list[Path]:
    """Return the split tables that ship: image_id, lesion_id, at times patient_id, split, fold; no photos, no diagnoses."""
    return sorted(SHIPPED_SPLITS.glob("*.csv"))


def read_split(path: Path) -> list[LabelledPhoto]:
    """Read a split table; its rows carry no diagnosis and no metadata."""
    return [
        LabelledPhoto(
            row["image_id"],
            "",
            False,
            lesion_id=row["lesion_id"],
            patient_id=row.get("patient_id", ""),
            split=row["split"],
            fold=row["fold"],
        )
        for row in read_table(path, what="The split table")
    ]


def split_sha256(photos: Iterable[LabelledPhoto]) -> str:
    """Return the hash that names a split: SHA-256 over the sorted (image_id, group, split, fold)."""
    lines = sorted(f"{p.image_id},{group_of(p)},{p.split},{p.fold}" for p in photos)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def find_photos(folder: Path, image_ids: Sequence[str]) -> dict[str, Path]:
    """Return image_id -> file for those that lie in the folder (not below it), whatever their ending's case."""
    if not folder.is_dir():
        raise TableError(f"Expected a folder of photos at '{folder}'. There is none. Check the path.")
    by_key = {
        photo_key(path.name): path
        for path in sorted(folder.iterdir())
        if path.suffix.lower().lstrip(".") in PHOTO_ENDINGS and not path.name.startswith(".")
    }
    return {image_id: by_key[image_id.lower()] for image_id in image_ids if image_id.lower() in by_key}


def safe_cell(text: str) -> str:
    r"""Return untrusted text as a cell that stays one physical line and that no spreadsheet runs.

    Control characters, line separators and undecodable bytes become backslash escapes; a text that begins like a
    formula gets an apostrophe in front.

    >>> safe_cell("=HYPERLINK(1).jpg"), safe_cell("two" + chr(10) + "lines.jpg"), safe_cell("mole.jpg")
    ("'=HYPERLINK(1).jpg", 'two\\nlines.jpg', 'mole.jpg')
    """
    begins_like_formula = text.lstrip(" ").startswith(_FORMULA_STARTS)
    # Cc control, Cf invisible (direction overrides), Zl/Zp line separators, Cs half of a character (undecodable bytes).
    escaped = "".join(
        char.encode("unicode_escape").decode("ascii")
        if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs")
        else char
        for char in text
    )
    return f"'{escaped}" if begins_like_formula else escaped
