"""Tables that people bring: what is understood, and one clear sentence for what is not."""

import pytest

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.errors import TableError
from dermascan_core.tables import find_photos, group_of, photo_key, read_labels, read_table
from dermascan_core.taxonomy import parse_archive_diagnosis, parse_isic_levels


@pytest.mark.parametrize(
    "data",
    [
        b"image_id,dx\nISIC_1,mel\n",
        b"\xef\xbb\xbfimage_id,dx\r\nISIC_1,mel\r\n",
        b"image_id;dx\nISIC_1;mel\n",
        b"Image_ID\tDX\nISIC_1.jpg\tMelanoma\n",
    ],
    ids=["plain", "Excel's UTF-8", "semicolons", "tabs, capitals and an ending"],
)
def test_labels_are_read_however_a_spreadsheet_saved_them(data):
    (photo,) = read_labels(data)

    assert (photo.image_id, photo.dx, photo.is_malignant) == ("ISIC_1", "mel", True)


def test_labels_carry_what_is_known_about_the_person():
    (photo,) = read_labels(b"image_id,dx,age,sex,localization,lesion_id\na,bkl,61.0,F,posterior torso,L1\n")

    assert photo.metadata == Metadata(age_approx=61, sex="female", anatom_site="back")
    assert (photo.lesion_id, photo.is_malignant) == ("L1", False)


def test_akiec_takes_its_finer_diagnosis_where_it_is_known():
    photos = read_labels(b"image_id,dx,dx_isic2019\na,akiec,SCC\nb,akiec,\n")

    assert [p.dx for p in photos] == ["scc", "akiec"]


def test_target_beats_an_archives_own_wording():
    photos = read_labels(b"image_id,diagnosis,target\na,unknown,0\nb,melanoma,1\n")

    assert [(p.dx, p.is_malignant) for p in photos] == [("", False), ("mel", True)]


def test_diagnosis_that_contradicts_the_target_is_not_believed():
    photos = read_labels(b"image_id,diagnosis,target\na,nevus,1\nb,melanoma,0\nc,lentigo NOS,0\n")

    assert [(p.dx, p.is_malignant) for p in photos] == [("", True), ("", False), ("", False)]


@pytest.mark.parametrize(
    ("table", "confirmed_by"),
    [
        (b"image_id,dx,dx_type\na,mel,histo\n", "histopathology"),
        (b"image_id,dx,dx_type\na,nv,follow_up\n", "follow-up"),
        (b"image_id,dx,diagnosis_confirm_type\na,mel,histopathology\n", "histopathology"),
        (b"img_id,diagnostic,biopsed\na.png,BCC,True\n", "histopathology"),
        (b"img_id,diagnostic,biopsed\na.png,NEV,False\n", "clinic"),
        (b"image_id,dx\na,mel\n", ""),
    ],
)
def test_how_the_diagnosis_was_confirmed_has_one_spelling(table, confirmed_by):
    (photo,) = read_labels(table)

    assert photo.confirmed_by == confirmed_by


def test_columns_of_isic_2020_are_understood():
    (photo,) = read_labels(
        b"image_id,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target\n"
        b"ISIC_1,IP_1,male,40.0,torso,unknown,benign,0\n"
    )

    assert photo.metadata == Metadata(age_approx=40, sex="male", anatom_site="torso")
    assert (photo.dx, photo.is_malignant, photo.patient_id) == ("", False, "IP_1")


def test_each_row_is_read_by_the_label_it_has():
    photos = read_labels(b"image_id,dx,target\na,mel,\nb,,1\nc,,0\nd,nv,0\n")

    assert [(p.dx, p.is_malignant) for p in photos] == [("mel", True), ("", True), ("", False), ("nv", False)]


def test_row_without_any_label_is_named():
    with pytest.raises(TableError, match=r"^The labels table, line 3: Expected a diagnosis such as .* Received ''\."):
        read_labels(b"image_id,dx,target\na,mel,\nb,,\n")


def test_columns_of_pad_ufes_20_are_understood():
    (photo,) = read_labels(
        b"img_id,diagnostic,region,gender,fitspatrick,patient_id\nPAT_1.png,ACK,FOREARM,MALE,3.0,P1\n"
    )

    assert (photo.image_id, photo.dx, group_of(photo)) == ("PAT_1", "ak", "P1")
    assert photo.metadata == Metadata(
        sex="male", anatom_site="upper extremity", fitzpatrick_skin_type=3, image_type=ImageType.CLINICAL
    )


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (
            b"image_id,age\na,30\n",
            "The labels table needs a column 'dx' with the diagnosis (or 'target' with 0 or 1). "
            "Received the columns: image_id, age. Add or rename the column.",
        ),
        (
            b"photo,dx\na,mel\n",
            "The labels table needs a column 'image_id' (or 'image') with the photo's file name. "
            "Received the columns: photo, dx. Add or rename the column.",
        ),
        (
            b"image_id,dx,age\na,mel,300\n",
            "The labels table, line 2: Expected age in years between 0 and 120, or empty for unknown. Received 300.0. "
            "Correct the value, or leave it empty.",
        ),
        (
            b"image_id,dx,fitzpatrick_skin_type\na,mel,inf\n",
            "The labels table, line 2: Expected Fitzpatrick skin type between 1 and 6, or empty for unknown. "
            "Received inf. Correct the value, or leave it empty.",
        ),
        (b"image_id,target\na,yes\n", "The labels table, line 2: Expected target 0 or 1. Received 'yes'."),
        (b"image_id,dx\n", "The labels table is empty. Expected a header line and at least one row."),
        (
            b"image_id,dx\n\xe9,mel\n",
            "The labels table is not UTF-8 text (byte 12 cannot be read). Save it as 'CSV UTF-8' and try again.",
        ),
        (
            b"PK\x03\x04\x00\x00",
            "The labels table is not a CSV file: it holds binary data. Save the sheet as 'CSV UTF-8'.",
        ),
    ],
)
def test_labels_that_cannot_be_read_get_one_clear_sentence(data, sentence):
    with pytest.raises(TableError) as error:
        read_labels(data)

    assert str(error.value) == sentence


def test_quote_that_nothing_closes_is_refused_rather_than_swallowing_the_rows_after_it():
    with pytest.raises(TableError) as error:
        read_table(b'image_id,dx\n"a,mel\nb,nv\nc,nv\n')

    assert str(error.value) == (
        "The table cannot be read as CSV: a quotation mark is opened and never closed. Save it as 'CSV UTF-8'."
    )


def test_quoted_cells_may_hold_quotes_and_line_breaks():
    assert read_table(b'image_id,note\na,"two\nlines, ""quoted"" too"\n') == [
        {"image_id": "a", "note": 'two\nlines, "quoted" too'}
    ]


def test_missing_table_names_its_path(tmp_path):
    with pytest.raises(TableError) as error:
        read_table(tmp_path / "none.csv")

    assert str(error.value) == f"Expected a CSV file at '{tmp_path / 'none.csv'}'. It cannot be opened. Check the path."


def test_photos_are_found_whatever_their_endings_case(tmp_path):
    for name in ("A.JPG", "b.png", "c.txt", ".d.jpg"):
        (tmp_path / name).write_bytes(b"")

    found = find_photos(tmp_path, ["a", "B", "c", ".d"])

    assert {image_id: path.name for image_id, path in found.items()} == {"a": "A.JPG", "B": "b.png"}
    assert photo_key("x/y/Photo.JPeG") == "photo"


def test_one_wrong_row_does_not_stop_the_others_when_problems_are_collected():
    data = b"image_id,dx,age,sex\na,mel,300,f\nb,measles,40,\nc,nv,40,\n"
    problems = []

    photos = read_labels(data, problems=problems)

    assert [(p.image_id, p.dx, p.metadata.age_approx) for p in photos] == [("a", "mel", None), ("c", "nv", 40.0)]
    assert photos[0].metadata == Metadata(sex="female")
    assert problems[0] == (
        "The labels table, line 2: Expected age in years between 0 and 120, or empty for unknown. Received 300.0. "
        "Correct the value, or leave it empty. It counts as unknown."
    )
    assert problems[1].startswith("The labels table, line 3: Expected a diagnosis such as mel, nv,")
    assert problems[1].endswith(
        "Received 'measles'. Rename it in the table, or leave the row out. The row is left out."
    )


@pytest.mark.parametrize(
    ("data", "image_type"),
    [
        (b"image_id,dx,image_type\na,mel,dermoscopic\n", ImageType.DERMOSCOPIC),
        (b"image_id,dx,image_type\na,mel,clinical: close-up\n", ImageType.CLINICAL),
        (b"image_id,dx,image_type\na,mel,TBP tile: close-up\n", ImageType.CLINICAL),
        (b"image_id,dx,lesion_id\na,mel,HAM_0000001\n", ImageType.DERMOSCOPIC),
        (b"image_id,dx,lesion_id\na,mel,L1\n", None),
    ],
    ids=["dermoscopy", "close-up", "tile of a total-body photo", "HAM10000 without the column", "not said"],
)
def test_how_a_photo_was_taken_is_read_or_follows_from_its_archive(data, image_type):
    (photo,) = read_labels(data)

    assert photo.image_type is photo.metadata.image_type is image_type


def test_diagnoses_of_the_public_archives_are_understood():
    assert [parse_archive_diagnosis(text) for text in ("nevus", "lentigo NOS", "solar lentigo", "unknown")] == [
        "nv",
        "",
        "bkl",
        "",
    ]
    assert (
        parse_isic_levels(["Indeterminate", "Indeterminate epidermal proliferations", "Solar or actinic keratosis"])
        == "ak"
    )
    assert parse_isic_levels(["Benign", "Benign soft tissue proliferations - Vascular", ""]) == "vasc"
    assert (
        parse_isic_levels(["Malignant", "Malignant epidermal proliferations", "Squamous cell carcinoma in situ"])
        == "scc"
    )
    with pytest.raises(TableError, match="Received 'measles'"):
        parse_archive_diagnosis("measles")
