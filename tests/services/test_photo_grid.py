"""The grid before a batch: prefilled from table, DICOM and names, corrected by hand, grouped into lesions."""

from __future__ import annotations

from dataclasses import asdict

from dermascan_core.domain import ImageType
from dermascan_core.interop.dicom_in import DicomPhoto
from dermascan_core.services.metadata_table import read_metadata_table
from dermascan_core.services.photo_grid import Grid, GridRow, group_by_lesion, keys_from_name, prefill_grid, read_grid

TABLE = b"image,age,sex,localization,patient_id,lesion_id,bleeding\na.jpg,61,f,back,P9,L1,yes\nb.jpg,300,,,,,\nlost.jpg,5,,,,,\n"
TOLD = DicomPhoto(b"", {"age": "40", "sex": "male"}, "H-1", "track-1", "left", ImageType.CLINICAL)


def cells(grid: Grid) -> list[dict[str, object]]:
    return [asdict(row) for row in grid.rows]


def test_table_goes_before_the_dicom_file_and_that_before_the_name() -> None:
    grid = prefill_grid(
        ["P001_L2_1.jpg", "a.jpg", "P3_L3.dcm"], table=read_metadata_table(TABLE), told=[None, None, TOLD]
    )

    assert grid.rows[0] == GridRow("P001_L2_1.jpg", "P001", "L2")
    assert grid.rows[1] == GridRow("a.jpg", "P9", "L1", 61.0, "female", "back")
    assert grid.rows[2] == GridRow("P3_L3.dcm", "H-1", "track-1", 40.0, "male", image_type="clinical")


def test_wrong_cell_and_row_without_a_photo_are_told() -> None:
    grid = prefill_grid(["a.jpg", "b.jpg"], table=read_metadata_table(TABLE), told=[None, None])

    assert grid.unused == ("lost.jpg",)
    assert len(grid.problems) == 1
    assert grid.problems[0].startswith(
        "b.jpg: Metadata used in part. The metadata table, line 3: Expected age in years"
    )
    assert grid.rows[1].age is None


def test_name_that_follows_no_pattern_gives_no_keys() -> None:
    assert keys_from_name("Plate_Lamp.jpg") == ("", "")
    assert keys_from_name("photo_1.jpg") == ("", "")
    assert keys_from_name("=P1_L1.jpg") == ("", "")


def test_corrected_cell_counts_and_an_emptied_one_is_unknown() -> None:
    grid = prefill_grid(["a.jpg"], table=read_metadata_table(TABLE), told=[None])
    row = cells(grid)[0] | {"age": 62.0, "sex": None, "person": float("nan"), "image_type": "clinical"}

    plans, problems = read_grid([row], grid, image_type=ImageType.DERMOSCOPIC)

    assert problems == []
    assert (plans[0].metadata.age_approx, plans[0].metadata.sex, plans[0].metadata.anatom_site) == (62.0, None, "back")
    assert (plans[0].person, plans[0].lesion, plans[0].image_type) == ("", "L1", ImageType.CLINICAL)
    assert plans[0].answers.bleeding is True


def test_wrong_cells_are_one_sentence_a_row_and_the_others_go_on() -> None:
    grid = prefill_grid(["a.jpg", "b.jpg"], table=None, told=[None, None])
    wrong = cells(grid)[0] | {"age": 900, "site": "the moon", "width_mm": 4.0}

    plans, problems = read_grid([wrong, cells(grid)[1]], grid, image_type=ImageType.DERMOSCOPIC)

    assert len(problems) == 1
    assert problems[0].startswith("a.jpg: Expected age in years between 0 and 120")
    assert "Received 'the moon'" in problems[0]
    assert plans[0].metadata.clin_size_long_diam_mm == 4.0
    assert len(plans) == 2


def test_photos_of_one_lesion_go_together_and_those_without_a_key_stand_alone() -> None:
    names = ["P1_L1_1.jpg", "x.jpg", "P1_L1_2.jpg", "P2_L1.jpg", "y.jpg"]
    grid = prefill_grid(names, table=None, told=[None] * 5)
    plans, _ = read_grid(cells(grid), grid, image_type=ImageType.DERMOSCOPIC)

    lesions, problems = group_by_lesion(plans)

    assert [[photo.name for photo in lesion.photos] for lesion in lesions] == [
        ["P1_L1_1.jpg", "P1_L1_2.jpg"],
        ["x.jpg"],
        ["P2_L1.jpg"],
        ["y.jpg"],
    ]
    assert problems == []


def test_photos_taken_in_two_ways_are_judged_apart() -> None:
    grid = prefill_grid(["L1_1.jpg", "L1_2.jpg"], table=None, told=[None, None])
    rows = cells(grid)
    plans, _ = read_grid([rows[0], rows[1] | {"image_type": "clinical"}], grid, image_type=ImageType.DERMOSCOPIC)

    assert len(group_by_lesion(plans)[0]) == 2


def test_photos_of_one_lesion_that_disagree_are_told_and_any_yes_counts() -> None:
    table = read_metadata_table(b"image,age,lesion_id,bleeding\na.jpg,60,L1,no\nb.jpg,61,L1,yes\n")
    grid = prefill_grid(["a.jpg", "b.jpg"], table=table, told=[None, None])
    plans, _ = read_grid(cells(grid), grid, image_type=ImageType.DERMOSCOPIC)

    lesions, problems = group_by_lesion(plans)

    assert problems == ["a.jpg and others of lesion L1 differ in age_approx. The first that is told counts."]
    assert {photo.metadata.age_approx for photo in lesions[0].photos} == {60.0}
    assert {photo.answers.bleeding for photo in lesions[0].photos} == {True}
