"""The data sheet: counted from the table and the files, equal to what is committed, for any data set."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.datasets.archives import read_pad_ufes_20
from dermascan_core.datasets.form import write_dataset
from dermascan_core.datasets.sheet import data_sheet, write_sheet
from dermascan_core.tables import read_table
from tests.datasets.making import jpeg, picture, write_folder

ROOT = Path(__file__).resolve().parents[2]
HAM = (
    b"image_id,lesion_id,dx,dx_isic2019,dx_type,age_approx,sex,localization,split,fold\n"
    b"a,HAM_1,mel,MEL,histo,45,male,back,train,0\n"
    b"b,HAM_1,mel,MEL,histo,45,male,back,train,0\n"
    b"c,HAM_2,nv,NV,follow_up,15,female,,train,1\n"
    b"d,HAM_3,akiec,SCC,histo,,,scalp,test,\n"
)
PHONE = (
    b"image_id,dx,target,patient_id,image_type,fitzpatrick_skin_type,itch,bleed,source,licence,split,fold\n"
    b"a,mel,,P1,clinical: close-up,2,yes,no,PAD-UFES-20,CC-BY,train,0\n"
    b"b,sk,,P1,clinical: close-up,5,no,,PAD-UFES-20,CC-BY,train,0\n"
    b"c,,0,P2,TBP tile: close-up,,,,SLICE-3D,CC-BY-NC,test,\n"
)


def _sheet(table):
    return data_sheet(read_table(table), name="mine", sha256="abc", sizes={(200, 150): 3, (100, 120): 1})


def test_data_sheet_counts_photos_and_lesions_of_each_part():
    text = _sheet(HAM).text

    assert "Table: 4 photos of 3 lesions, SHA-256 of `metadata.csv` `abc`." in text
    assert "| `mel` | melanoma | 2 | 1 | 0 | 0 | 2 | 1,113 |" in text
    assert "| `akiec` | actinic keratosis / intraepithelial carcinoma | 0 | 0 | 1 | 1 | 1 | 327 |" in text
    assert "| all |  | 3 | 2 | 1 | 1 | 4 | 8,145 |" in text
    assert "Photos of a lesion: 2 with 1, 1 with 2." in text
    assert "**Children.** 1 photos" in text
    assert "Sizes: 200x150 px (3), 100x120 px (1). Short side: 100 to 150 px, median 150 px." in text


def test_data_sheet_counts_the_unknown_as_unknown():
    text = _sheet(HAM).text

    assert text.count("| unknown | 0 | 1 |") == 2  # age and sex of d
    assert "| unknown | 1 | 0 |" in text  # site of c


def test_data_sheet_shows_how_diagnoses_were_confirmed_and_that_it_is_no_input():
    text = _sheet(HAM).text

    assert "## How the diagnosis was confirmed (`dx_type`): never an input" in text
    assert "| `histo` (histopathology: tissue under the microscope) | 1 | 2 | 0 |" in text


def test_data_sheet_of_other_photos_names_sources_kinds_skin_types_and_what_people_noticed():
    text = _sheet(PHONE).text

    assert "Table: 3 photos of 2 people" in text
    assert "| PAD-UFES-20 | CC-BY | 2 |" in text
    assert "| SLICE-3D | CC-BY-NC | 1 |" in text
    assert "| `mel` | melanoma | 1 | 1 | 0 | 0 | 1 |" in text
    assert "| none | only malignant or not is known | 0 | 0 | 1 | 1 | 1 |" in text
    assert "| clinical: close-up | 2 | 0 |" in text
    assert "| TBP tile: close-up | 0 | 1 |" in text
    assert "| itch | 1 | 1 | 1 |" in text
    assert "The skin type is known of 2 photos; 1 are of types V and VI, which is too few" in text


def test_sheet_of_a_folder_comes_with_its_chart(tmp_path):
    rows = [{"image_id": "a", "dx": "nv"}, {"image_id": "b", "dx": "mel"}]
    folder = write_folder(tmp_path / "set", rows, pictures={"a": jpeg(picture(1, width=200, height=150))})

    result = CliRunner().invoke(cli.app, ["data", "sheet", str(folder), "--out", str(tmp_path / "sheet.md")])

    assert result.exit_code == 0
    text = (tmp_path / "sheet.md").read_text()
    assert text.startswith("# Data sheet: set\n")
    assert "(sheet.png)" in text
    assert "Sizes: 160x128 px (1), 200x150 px (1)." in text
    with Image.open(tmp_path / "sheet.png") as chart:
        assert chart.size[0] == 900


def test_sheet_of_a_folder_without_a_table_fails_with_one_sentence(tmp_path):
    result = CliRunner().invoke(cli.app, ["data", "sheet", str(tmp_path), "--out", str(tmp_path / "sheet.md")])

    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: Expected a CSV file at '{tmp_path / 'metadata.csv'}'. It cannot be opened. Check the path.\n"
    )


@pytest.mark.real_data
def test_committed_data_sheet_is_that_of_the_data(data_dir, tmp_path):
    chart = tmp_path / "images" / "class-counts.png"
    chart.parent.mkdir()

    write_sheet(data_dir / "ham10000", tmp_path / "data-sheet.md", chart=chart)

    assert (tmp_path / "data-sheet.md").read_text(encoding="utf-8") == (ROOT / "docs" / "data-sheet.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.real_data
def test_committed_data_sheet_of_the_phone_photos_is_that_of_the_data(data_dir, tmp_path):
    folder, chart = tmp_path / "pad-ufes-20", tmp_path / "images" / "class-counts-pad-ufes-20.png"
    chart.parent.mkdir()
    write_dataset(read_pad_ufes_20(data_dir / "pad_ufes_20").records, folder)

    write_sheet(folder, tmp_path / "sheet.md", chart=chart)

    committed = ROOT / "docs" / "data-sheet-pad-ufes-20.md"
    assert (tmp_path / "sheet.md").read_text(encoding="utf-8") == committed.read_text(encoding="utf-8")
