"""Writes docs/data-sheet.md: what the training photos are, counted from their own table, and what they cannot say.

``python -m dermascan_core.datasets.sheet --data DIR --out docs/data-sheet.md``
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..errors import DatasetError, DermaScanError
from ..tables import read_table
from ..taxonomy import HAM_CODES, HAM_MALIGNANT, HAM_NAMES, is_unknown

Row = dict[str, str]
UNKNOWN = "unknown"
AGE_BANDS_YEARS = ((0, 17), (18, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, 79), (80, 120))
_COLUMNS = ("image_id", "lesion_id", "dx", "dx_type", "age_approx", "sex", "localization", "split", "fold")
# The whole archive: Tschandl, Rosendahl & Kittler (2018), https://doi.org/10.1038/sdata.2018.161, table 1.
_ARCHIVE_COUNTS = {"akiec": 327, "bcc": 514, "bkl": 1099, "df": 115, "mel": 1113, "nv": 6705, "vasc": 142}
_DX_TYPES = {
    "histo": "histopathology: tissue under the microscope",
    "follow_up": "no change over three visits or 1.5 years of digital follow-up",
    "consensus": "agreement of experts from the photo alone",
    "confocal": "in-vivo confocal microscopy",
}

_TEXT = """\
# Data sheet: the photos that train and test the network

Written by `python -m dermascan_core.datasets.sheet`; change the program, not this page.
Table: {n_photos} photos of {n_lesions} lesions, SHA-256 of `metadata.csv` `{sha256}`.

## What they are

HAM10000 ("human against machine with 10,000 training images"): dermoscopy of pigmented skin lesions, collected over 20
years at the Department of Dermatology of the Medical University of Vienna and the practice of Cliff Rosendahl in
Queensland. Tschandl, Rosendahl & Kittler, *Scientific Data* 5, 180161 (2018), https://doi.org/10.1038/sdata.2018.161.
**Licence: CC BY-NC 4.0.** Non-commercial use only, and the trained weights carry the same terms.
No photo of the archive lies in this project; `python -m dermascan_core data import ham10000` makes the
200x150 px view that is counted here from the public archive's 600x450 px files.

## Classes and split

The split is by lesion: all photos of one lesion lie in one part, and a data set that breaks this is refused.
The `test` part is for the last look at a finished model; everything is chosen on the folds of `train`.

{classes}

*Whole archive* is what the publication counts; the view here holds {share} of it.
Cancer or pre-cancer (`akiec`, `bcc`, `mel`): {n_malignant} photos.

Photos by fold of `train`:

{folds}

Photos of a lesion: {photos_per_lesion}.

## Finer diagnoses

{finer}

"SCC" here is ISIC 2019's label on part of `akiec`: in-situ disease (Bowen). Invasive squamous cell carcinoma is not in
these photos. `bkl` is the archive's pigmented benign keratosis, with seborrheic keratosis inside it unmarked.

## How the diagnosis was confirmed (`dx_type`): never an input

{dx_types}

Published summaries call all these diagnoses histological; they are not. A melanoma is confirmed by histopathology, a
nevus mostly by other means, so this column would tell a network the answer. It is shown here and used nowhere.

## Who and where

Age in years:

{ages}

Sex:

{sexes}

Body site, as the archive writes it:

{sites}

## What these photos cannot say

- **Skin tone.** The table has no skin type, so no result can be given by skin type, and nothing here supports a claim
  about dark skin. Types V and VI are not tested.
- **Children.** {n_under_18} photos are of people under 18: too few, so under 18 the app answers "not tested".
- **Nails and mucosa.** The archive leaves them out, and so does the app.
- **Phone photos.** Every photo is dermoscopy; a phone photo is marked "not tested on phone photos".
- **Rare forms**, amelanotic melanoma among them, and lesions outside the seven classes: rashes, infections, wounds.
- **How often.** The archive was gathered to train programs: {malignant_share} show cancer or pre-cancer, far more than among people
  who wonder about a mole. A probability here is a share among photos like these.
- **Detail.** 150 px across the short side of the lesion's frame; larger uploads are brought to the same detail.
"""


def data_sheet(rows: Sequence[Row], *, sha256: str) -> str:
    """Return the data sheet as Markdown.

    Args:
        rows: Of HAM10000's ``metadata.csv`` with ``split`` and ``fold``.
        sha256: Of the table, so that a reader can tell which one was counted.

    Raises:
        DatasetError: If a column is missing.
    """
    missing = [name for name in _COLUMNS if name not in rows[0]]
    if missing:
        raise DatasetError(
            f"Expected the columns {', '.join(_COLUMNS)} in the table. Missing: {', '.join(missing)}. "
            "Make the data set with: python -m dermascan_core data import ham10000 --help"
        )
    malignant = [row for row in rows if row["dx"] in HAM_MALIGNANT]
    per_lesion = Counter(Counter(row["lesion_id"] for row in rows).values())
    return _TEXT.format(
        n_photos=f"{len(rows):,}",
        n_lesions=f"{len({row['lesion_id'] for row in rows}):,}",
        sha256=sha256,
        classes=_class_table(rows),
        share=_percent(len(rows), sum(_ARCHIVE_COUNTS.values())),
        n_malignant=f"{len(malignant):,}",
        folds=_cross_table([r for r in rows if r["split"] == "train"], "dx", "fold", "Class"),
        photos_per_lesion=", ".join(f"{n:,} lesions with {k}" for k, n in sorted(per_lesion.items())),
        finer=_cross_table([r for r in rows if r["dx"] in ("akiec", "bkl")], "dx", "dx_isic2019", "Class"),
        dx_types=_cross_table(rows, "dx_type", "dx", "How", names=_DX_TYPES),
        ages=_count_table("Years", [_age_band(row["age_approx"]) for row in rows], [row["split"] for row in rows]),
        sexes=_count_table("Sex", [_known(row["sex"]) for row in rows], [row["split"] for row in rows]),
        sites=_count_table("Site", [_known(row["localization"]) for row in rows], [row["split"] for row in rows]),
        n_under_18=sum(_age_band(row["age_approx"]) == "0 to 17" for row in rows),
        malignant_share=_percent(len(malignant), len(rows)),
    )


def _class_table(rows: Sequence[Row]) -> str:
    lines = []
    for code in HAM_CODES:
        of_class = [row for row in rows if row["dx"] == code]
        cells: list[object] = [f"`{code}`", HAM_NAMES[code]]
        for split in ("train", "test"):
            part = [row for row in of_class if row["split"] == split]
            cells += [len(part), len({row["lesion_id"] for row in part})]
        lines.append([*cells, len(of_class), _ARCHIVE_COUNTS[code]])
    totals = [sum(int(str(line[column])) for line in lines) for column in range(2, 8)]
    head = ["Class", "Name", "Train photos", "Lesions", "Test photos", "Lesions", "All photos", "Whole archive"]
    return _markdown(head, [*lines, ["all", "", *totals]])


def _cross_table(
    rows: Sequence[Row], row_key: str, column_key: str, head: str, names: dict[str, str] | None = None
) -> str:
    pairs = Counter((_known(row.get(row_key)), _known(row.get(column_key))) for row in rows)
    columns = sorted({column for _, column in pairs})
    labels = names or {}
    lines = [
        [f"`{name}`" + (f" ({labels[name]})" if name in labels else ""), *(pairs[name, column] for column in columns)]
        for name in sorted({name for name, _ in pairs})
    ]
    return _markdown([head, *columns], lines)


def _count_table(head: str, values: Sequence[str], splits: Sequence[str]) -> str:
    pairs = Counter(zip(values, splits, strict=True))
    names = sorted(set(values), key=lambda name: (name == UNKNOWN, _leading_number(name), name))
    lines = [[name, pairs[name, "train"], pairs[name, "test"]] for name in names]
    return _markdown([head, "Train photos", "Test photos"], lines)


def _leading_number(name: str) -> int:
    first = name.split(" ")[0]
    return int(first) if first.isdigit() else 0


def _age_band(text: str | None) -> str:
    if is_unknown(text):
        return UNKNOWN
    age = float(str(text))
    low, high = next((low, high) for low, high in AGE_BANDS_YEARS if age < high + 1)
    return f"{low} to {high}"


def _known(text: str | None) -> str:
    return UNKNOWN if text is None or is_unknown(text) else text.strip()


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %"


def _markdown(head: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    def cell(value: object) -> str:
        return f"{value:,}" if isinstance(value, int) else str(value)

    rule = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cell(value) for value in line) + " |" for line in (head, rule, *lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the sheet of ``DIR/metadata.csv``; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data set folder that holds metadata.csv")
    parser.add_argument("--out", type=Path, required=True, help="Markdown file to write")
    options = parser.parse_args(arguments)
    try:
        table = options.data / "metadata.csv"
        rows = read_table(table, what="The data set's table")
        options.out.write_text(data_sheet(rows, sha256=hashlib.sha256(table.read_bytes()).hexdigest()), "utf-8")
    except DermaScanError as error:
        parser.exit(1, f"{error}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
