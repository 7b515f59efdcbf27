"""Reads the public archives in the layouts they are published in; ``form.write_dataset`` does the rest.

Each function says which files it wants, by the names that the archive gives them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import DatasetError
from ..tables import PHOTO_ENDINGS, photo_key, photo_stem, read_table, yes_no_or_unknown
from ..taxonomy import is_unknown, parse_archive_diagnosis, parse_diagnosis, parse_isic_levels
from .form import Labeller, Record, Row, free_text

DERMOSCOPIC, CLINICAL, TBP_TILE = "dermoscopic", "clinical: close-up", "TBP tile: close-up"


@dataclass(frozen=True, slots=True)
class Archive:
    """What was read of an archive: its photos, and the diagnoses left out with how often they came."""

    records: list[Record]
    skipped: Mapping[str, int]


def read_isic2019(source: Path, *, skip_unknown: bool = False) -> Archive:
    """Read ISIC 2019's training set: 25,331 dermoscopic photos in eight classes.

    Wants ``ISIC_2019_Training_GroundTruth.csv`` (image, then one column a class holding 1 or 0),
    ``ISIC_2019_Training_Metadata.csv`` (image, age_approx, anatom_site_general, lesion_id, sex) and the photos.
    HAM10000 is part of it: photos of HAM10000's test split go to ``test`` here too.

    Raises:
        DatasetError: If a file or column is missing, or a diagnosis is unknown.
        TableError: If a table cannot be read.
    """
    truth = _table(source, "ISIC_2019_Training_GroundTruth.csv", ("image", "mel", "nv", "bcc", "ak", "bkl", "scc"))
    known = {
        row["image"]: row
        for row in _table(source, "ISIC_2019_Training_Metadata.csv", ("image", "age_approx", "lesion_id", "sex"))
    }
    files, labeller = _find_files(source), Labeller(parse_diagnosis, skip_unknown=skip_unknown)
    records = []
    for row in truth:
        named = [name for name, value in row.items() if name != "image" and value in ("1", "1.0")]
        dx = labeller.read(named[0].upper() if len(named) == 1 else "")
        if dx is None:
            continue
        about = known.get(row["image"], {})
        cells = {
            "image_id": row["image"],
            "dx": dx,
            **_copied(about, "lesion_id", "age_approx", "sex", "anatom_site_general"),
            **_source("ISIC 2019", DERMOSCOPIC, "CC-BY-NC"),
        }
        records.append(_record(cells, files))
    return _archive(records, labeller)


def read_isic2020(source: Path, *, skip_unknown: bool = False) -> Archive:
    """Read ISIC 2020's training set: 33,126 dermoscopic photos of 2,056 people, 584 melanomas.

    Wants ``ISIC_2020_Training_GroundTruth_v2.csv`` (or its first version, or Kaggle's ``train.csv``): image_name,
    patient_id, lesion_id (second version), sex, age_approx, anatom_site_general_challenge, diagnosis,
    benign_malignant, target; and the photos. Most moles were never biopsied ("unknown"): they are known to be benign
    and nothing finer, so they can be evaluated, not trained on, until ``skip_unknown`` leaves them out.

    Raises:
        DatasetError: If a file or column is missing, or a diagnosis is unknown.
        TableError: If a table cannot be read.
    """
    names = ("ISIC_2020_Training_GroundTruth_v2.csv", "ISIC_2020_Training_GroundTruth.csv", "train.csv", "metadata.csv")
    table = next((name for name in names if (source / name).is_file()), names[0])
    key = "image_id" if table == "metadata.csv" else "image_name"
    rows = _table(source, table, (key, "patient_id", "diagnosis", "target"))
    files, labeller = _find_files(source), Labeller(parse_archive_diagnosis, skip_unknown=skip_unknown)
    records = []
    for row in rows:
        dx = labeller.read(row["diagnosis"], has_target=not skip_unknown)
        if dx is None:
            continue
        cells = {
            "image_id": row[key],
            "dx": dx,
            "target": row["target"],
            "diagnosis": row["diagnosis"],
            "anatom_site_general": row.get("anatom_site_general_challenge", ""),
            **_copied(row, "patient_id", "lesion_id", "age_approx", "sex"),
            **_source("ISIC 2020", DERMOSCOPIC, "CC-BY-NC"),
        }
        records.append(_record(cells, files))
    return _archive(records, labeller)


def read_isic2024(source: Path, *, skip_unknown: bool = False) -> Archive:
    """Read ISIC 2024's SLICE-3D: 401,059 close-ups cut from total-body photographs, 393 of them malignant.

    Wants ``train-metadata.csv`` (isic_id, target, patient_id, age_approx, sex, anatom_site_general,
    clin_size_long_diam_mm, image_type, the ``tbp_lv_`` measurements, attribution, copyright_license, lesion_id,
    iddx_full, iddx_1 to iddx_5) and the photos, in ``train-image.hdf5`` or in a folder. All ``tbp_lv_`` columns are
    kept; ``tbp_lv_dnn_lesion_confidence``, ``iddx_`` and the melanoma's thickness follow from the diagnosis and are not.
    Most tiles are only known to be benign: see ``read_isic2020``.

    Raises:
        DatasetError: If a file or column is missing.
        TableError: If a table cannot be read.
    """
    rows = _table(source, "train-metadata.csv", ("isic_id", "target", "patient_id", "iddx_1"))
    packed = source / "train-image.hdf5"
    load = _packed_photos(packed) if packed.is_file() else None
    files = {} if load else _find_files(source)
    labeller = Labeller(lambda text: parse_isic_levels(text.split("\t")), skip_unknown=skip_unknown)
    measured = [name for name in rows[0] if name.startswith("tbp_lv_") and name != "tbp_lv_dnn_lesion_confidence"]
    records = []
    rows.reverse()
    while rows:  # each row is let go once it was read: the whole table takes gigabytes
        row = rows.pop()
        dx = labeller.read("\t".join(row.get(f"iddx_{n}", "") for n in range(1, 6)), has_target=not skip_unknown)
        if dx is None:
            continue
        cells = {
            "image_id": row["isic_id"],
            "dx": dx,
            "diagnosis": row.get("iddx_full", ""),
            **_copied(row, "target", "patient_id", "lesion_id", "age_approx", "sex", "anatom_site_general"),
            **_copied(row, "clin_size_long_diam_mm"),
            **_source("ISIC 2024 (SLICE-3D)", row.get("image_type") or TBP_TILE, row.get("copyright_license") or ""),
            "attribution": free_text(row.get("attribution", "")),
            **_copied(row, *measured),
        }
        records.append(_record(cells, files) if load is None else Record(cells, load(row["isic_id"])))
    return _archive(records, labeller)


def read_pad_ufes_20(source: Path, *, skip_unknown: bool = False) -> Archive:
    """Read PAD-UFES-20: 2,298 smartphone photos of 1,373 people in six classes.

    Wants ``metadata.csv`` (patient_id, lesion_id, age, gender, fitspatrick, region, diameter_1, diameter_2, diagnostic,
    itch, grew, hurt, changed, bleed, elevation, img_id, biopsed) and the photos. ``skin_cancer_history`` is of the person
    or the family, so it fills neither of our two fields; ``biopsed`` (true of every cancer) only says how a diagnosis was
    confirmed.

    Raises:
        DatasetError: If a file or column is missing, or a diagnosis is unknown.
        TableError: If a table cannot be read.
    """
    rows = _table(source, "metadata.csv", ("img_id", "diagnostic", "patient_id", "lesion_id", "itch", "elevation"))
    files, labeller = _find_files(source), Labeller(parse_diagnosis, skip_unknown=skip_unknown)
    records = []
    for row in rows:
        dx = labeller.read(row["diagnostic"])
        if dx is None:
            continue
        diameters = [
            float(text) for text in (row.get("diameter_1", ""), row.get("diameter_2", "")) if _is_positive(text)
        ]
        cells = {
            "image_id": photo_stem(row["img_id"]),
            "dx": dx,
            "patient_id": row["patient_id"],
            "lesion_id": f"{row['patient_id']}_{row['lesion_id']}",
            "age_approx": row.get("age", ""),
            "sex": _known(row.get("gender", "")).lower(),
            "localization": _known(row.get("region", "")).lower(),
            "fitzpatrick_skin_type": _known(row.get("fitspatrick", "")).removesuffix(".0"),
            "clin_size_long_diam_mm": f"{max(diameters):g}" if diameters else "",
            "dx_type": {True: "histopathology", False: "clinic", None: ""}[yes_no_or_unknown(row.get("biopsed", ""))],
            **{name: _yes_no(row.get(name, "")) for name in ("itch", "grew", "hurt", "changed", "bleed", "elevation")},
            **_copied(row, "diameter_1", "diameter_2"),
            **_source("PAD-UFES-20", CLINICAL, "CC-BY"),
        }
        records.append(_record(cells, files))
    return _archive(records, labeller)


def read_ph2(source: Path, *, skip_unknown: bool = False) -> Archive:
    """Read PH2: 200 dermoscopic photos, 80 common nevi, 80 atypical nevi, 40 melanomas, each with its lesion's mask.

    Wants ``PH2_dataset.txt`` (columns between ``||``: Name, Histological Diagnosis, Clinical Diagnosis with 0 for a
    common nevus, 1 for an atypical nevus, 2 for a melanoma) or the sheet saved as ``PH2_dataset.csv`` (Image Name,
    and an X under Common Nevus, Atypical Nevus or Melanoma); and the folders
    ``PH2 Dataset images/IMD003/IMD003_Dermoscopic_Image/IMD003.bmp`` and, for the masks,
    ``PH2 Dataset images/IMD003/IMD003_lesion/IMD003_lesion.bmp``.

    Raises:
        DatasetError: If a file is missing, or a diagnosis is unknown.
        TableError: If the sheet cannot be read.
    """
    labels = list(_ph2_labels(source))
    files = _find_files(source, is_wanted=lambda path: path.parent.name.endswith("_Dermoscopic_Image"))
    masks = _find_files(source, is_wanted=lambda path: path.parent.name.endswith("_lesion"))
    labeller = Labeller(
        lambda text: {"0": "nv", "1": "nv", "2": "mel"}.get(text) or parse_diagnosis(text), skip_unknown=skip_unknown
    )
    records = []
    for name, label, tissue in labels:
        dx = labeller.read(label)
        if dx is None:
            continue
        words = {"0": "common nevus", "1": "atypical nevus", "2": "melanoma"}.get(label, label)
        cells = {
            "image_id": name,
            "dx": dx,
            "diagnosis": words,
            "lesion_id": name,
            "dx_type": "histopathology" if tissue else "clinic",
            **_source("PH2", DERMOSCOPIC, "research and education only"),
        }
        records.append(replace(_record(cells, files), mask=masks.get(f"{name}_lesion".lower())))
    return _archive(records, labeller)


def _ph2_labels(source: Path) -> Iterator[tuple[str, str, str]]:
    """Yield (name, diagnosis, histological diagnosis) of each case."""
    text, sheet = _below(source, "PH2_dataset.txt"), _below(source, "PH2_dataset.csv")
    if text:
        for line in text.read_text("utf-8", errors="replace").splitlines():
            cells = [cell.strip() for cell in line.split("||")]
            if len(cells) > 3 and re.fullmatch(r"IMD\d+", cells[1]):
                yield cells[1], cells[3], cells[2]
        return
    if not sheet:
        raise DatasetError(
            f"Expected PH2_dataset.txt (or the sheet saved as PH2_dataset.csv) in '{source}'. It is not there. "
            "Ask for PH2 at https://www.fc.up.pt/addi/ph2%20database.html and unpack it."
        )
    with sheet.open(newline="", encoding="utf-8-sig") as file:
        lines = list(csv.reader(file))
    # The sheet has a legend above its header.
    start = next((i for i, line in enumerate(lines) if "Image Name" in [cell.strip() for cell in line]), None)
    if start is None:
        raise DatasetError(
            f"Expected a header with 'Image Name' in '{sheet}'. It has none. Save the first sheet as CSV."
        )
    head = [cell.strip() for cell in lines[start]]
    for cells_of_case in lines[start + 1 :]:
        row = dict(zip(head, (cell.strip() for cell in cells_of_case), strict=False))
        if row.get("Image Name"):
            marked = [str(code) for code, name in enumerate(_PH2_CLASSES) if row.get(name, "").upper() == "X"]
            yield row["Image Name"], "".join(marked), row.get("Histological Diagnosis", "")


_PH2_CLASSES = ("Common Nevus", "Atypical Nevus", "Melanoma")


def _packed_photos(path: Path) -> Callable[[str], Callable[[], bytes]]:
    """Return name -> a function that reads the photo's bytes from SLICE-3D's HDF5 file."""
    import h5py

    packed = h5py.File(path, "r")  # kept open until the import ends

    def load(name: str) -> Callable[[], bytes]:
        if name not in packed:
            raise DatasetError(
                f"Expected the photo '{name}' in '{path.name}'. It is not in there. Download the file again."
            )
        return lambda: bytes(packed[name][()])

    return load


def _table(source: Path, name: str, columns: Sequence[str]) -> list[Row]:
    path = _below(source, name)
    if path is None:
        raise DatasetError(f"Expected the archive's table {name} in '{source}'. It is not there. Check --source.")
    rows = read_table(path, what=name)
    if missing := [column for column in columns if column not in rows[0]]:
        raise DatasetError(
            f"{name} lacks the columns {', '.join(missing)}. Received: {', '.join(list(rows[0])[:20])}. "
            "Use the archive's own table."
        )
    return rows


def _below(source: Path, name: str) -> Path | None:
    """Return a file of that name in a folder, or below it."""
    return source / name if (source / name).is_file() else next(iter(sorted(source.rglob(name))), None)


def _find_files(source: Path, *, is_wanted: Callable[[Path], bool] = lambda path: True) -> dict[str, Path]:
    return {
        photo_key(path.name): path
        for path in sorted(source.rglob("*"))
        if path.suffix.lower().lstrip(".") in PHOTO_ENDINGS and not path.name.startswith(".") and is_wanted(path)
    }


def _record(cells: Row, files: Mapping[str, Path]) -> Record:
    path = files.get(cells["image_id"].lower())
    return Record(cells, path, path.suffix.lower() if path else ".jpg")


def _archive(records: list[Record], labeller: Labeller) -> Archive:
    labeller.check()
    return Archive(records, labeller.unknown)


def _source(name: str, image_type: str, licence: str) -> Row:
    return {"source": name, "image_type": image_type, "licence": licence}


def _copied(row: Mapping[str, str], *names: str) -> Row:
    return {name: _known(row.get(name, "")) for name in names}


def _known(text: str) -> str:
    return "" if is_unknown(text) else text


def _yes_no(text: str) -> str:
    return {True: "yes", False: "no", None: ""}[yes_no_or_unknown(text)]


def _is_positive(text: str) -> bool:
    try:
        return float(text) > 0
    except ValueError:
        return False
