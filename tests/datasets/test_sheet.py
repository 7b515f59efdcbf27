"""The data sheet: counted from the table, equal to what is committed, honest about a table that lacks a column."""

import hashlib
from pathlib import Path

import pytest

from dermascan_core.datasets.sheet import data_sheet, main
from dermascan_core.errors import DatasetError
from dermascan_core.tables import read_table

ROOT = Path(__file__).resolve().parents[2]
TABLE = (
    b"image_id,lesion_id,dx,dx_isic2019,dx_type,age_approx,sex,localization,split,fold\n"
    b"a,L1,mel,MEL,histo,45,male,back,train,0\n"
    b"b,L1,mel,MEL,histo,45,male,back,train,0\n"
    b"c,L2,nv,NV,follow_up,15,female,,train,1\n"
    b"d,L3,akiec,SCC,histo,,,scalp,test,\n"
)


def test_data_sheet_counts_photos_and_lesions_of_each_part() -> None:
    sheet = data_sheet(read_table(TABLE), sha256="abc")

    assert "| `mel` | melanoma | 2 | 1 | 0 | 0 | 2 | 1,113 |" in sheet
    assert "| `akiec` | actinic keratosis / intraepithelial carcinoma | 0 | 0 | 1 | 1 | 1 | 327 |" in sheet
    assert "| all |  | 3 | 2 | 1 | 1 | 4 | 10,015 |" in sheet
    assert "Photos of a lesion: 2 lesions with 1, 1 lesions with 2." in sheet
    assert "221 photos" not in sheet
    assert "**Children.** 1 photos" in sheet


def test_data_sheet_counts_the_unknown_as_unknown() -> None:
    sheet = data_sheet(read_table(TABLE), sha256="abc")

    assert "| unknown | 0 | 1 |" in sheet  # age and sex of d
    assert "| unknown | 1 | 0 |" in sheet  # site of c


def test_data_sheet_names_a_missing_column() -> None:
    table = TABLE.replace(b"dx_type", b"how")

    with pytest.raises(DatasetError, match=r"Missing: dx_type\. Make the data set with: python -m dermascan_core data"):
        data_sheet(read_table(table), sha256="abc")


def test_command_without_a_table_fails_with_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--data", str(tmp_path), "--out", str(tmp_path / "sheet.md")])

    assert stopped.value.code == 1
    assert capsys.readouterr().err == (
        f"Expected a CSV file at '{tmp_path / 'metadata.csv'}'. It cannot be opened. Check the path.\n"
    )


@pytest.mark.real_data
def test_committed_data_sheet_is_that_of_the_data(data_dir: Path) -> None:
    table = data_dir / "ham10000" / "metadata.csv"

    sheet = data_sheet(read_table(table), sha256=hashlib.sha256(table.read_bytes()).hexdigest())

    assert sheet == (ROOT / "docs" / "data-sheet.md").read_text(encoding="utf-8")
