"""The table about many photos: which row is whose, and one sentence for what is not used."""

import pytest

from dermascan_core.domain import Answers, Metadata
from dermascan_core.errors import TableError
from dermascan_core.services.metadata_table import match_rows, read_metadata_table, unused_rows


def ages(names, table):
    """Match photos by name; return each one's age, or its row's problem."""
    rows = match_rows([(name, name) for name in names], read_metadata_table(table))
    return [None if row is None else row.problem or row.metadata.age_approx for row in rows]


def test_metadata_table_keeps_good_cells_beside_wrong_ones():
    table = read_metadata_table(
        b"image,age,sex,localization\na/ISIC_1.jpg,61,F,scalp\nISIC_2,300,,\nISIC_3,9,m,moon\nISIC_4,,,\n,40,,\n"
    )

    assert table["isic_1"][0].metadata == Metadata(age_approx=61, sex="female", anatom_site="scalp")
    assert table["isic_2"][0].problem == (
        "Metadata used in part. The metadata table, line 3: Expected age in years between 0 and 120, or empty for "
        "unknown. Received 300.0. Correct the value, or leave it empty."
    )
    assert table["isic_3"][0].metadata == Metadata(age_approx=9, sex="male")
    assert "Received 'moon'" in table["isic_3"][0].problem
    assert (table["isic_4"][0].metadata, table["isic_4"][0].problem) == (Metadata(), "")
    assert table["line 6"][0].problem == (
        "Metadata not used. The metadata table, line 6: Expected a photo's name. The cell is empty. Fill it in."
    )


def test_metadata_of_one_photo_given_twice_must_agree():
    assert ages(["A.png", "b.jpg"], b"image_id,age\na.jpg,50\nA,50\nb,50\nb.jpg,60\n") == [
        50,
        "Metadata not used. The metadata table, line 5: The photo 'b.jpg' also stands in line 4 with other values. "
        "Keep one of the two.",
    ]


@pytest.mark.parametrize(
    ("name", "age"),
    [
        ("photos/ann/mole.jpg", 40),
        ("photos/BOB/Mole.PNG", 70),
        ("bob\\mole.jpg", 70),
        ("./ann/mole.jpg", 40),
        ("photos/carl/mole.jpg", None),
        ("photos/ann/other.jpg", None),
    ],
)
def test_row_with_a_folder_is_only_for_the_photo_in_that_folder(name, age):
    assert ages([name], b"image,age\nann/mole.jpg,40\nbob/mole.jpg,70\n") == [age]


def test_row_of_the_closest_folder_wins_over_the_bare_name():
    assert ages(["a/mole.jpg", "b/mole.jpg"], b"image,age\nmole,30\na/mole,40\n") == [40, 30]


def test_photo_without_a_folder_takes_the_only_row_of_its_name():
    assert ages(["mole.jpg"], b"image,age\nann/mole.jpg,40\n") == [40]


def test_bare_name_is_for_none_of_several_photos_that_have_it():
    assert ages(["a/mole.jpg", "b/mole.jpg", "b/spot.jpg"], b"image,age\nmole.jpg,30\nspot,50\n") == [
        *2
        * [
            "Metadata not used. The metadata table, line 2: 'mole.jpg' may mean 2 photos of this batch. "
            "Write the folder too, as in 'folder/photo.jpg'."
        ],
        50,
    ]


def test_photo_without_a_folder_takes_none_of_several_rows():
    assert ages(["mole.jpg"], b"image,age\na/mole,30\nb/mole,50\n") == [
        "Metadata not used. The metadata table, line 2: Lines 2 and 3 may both mean the photo 'mole.jpg'. "
        "Name it by its folder too."
    ]


def test_two_uploads_of_one_name_share_no_row_unless_they_are_the_same_photo():
    table = read_metadata_table(b"image,age\nmole,30\n")

    same = match_rows([("mole.jpg", b"1"), ("mole.jpg", b"1")], table)
    different = match_rows([("mole.jpg", b"1"), ("mole.jpg", b"2")], table)

    assert [row.metadata.age_approx for row in same] == [30, 30]
    assert [row.metadata.age_approx for row in different] == [None, None]


def test_rows_that_no_photo_agrees_with_are_named():
    table = read_metadata_table(b"image,age\na/mole,30\nb/mole,40\nspot,50\n")

    assert unused_rows(["photos/a/mole.jpg"], table) == ("b/mole", "spot")


def test_metadata_table_without_any_known_column_says_which_are_known():
    with pytest.raises(TableError) as caught:
        read_metadata_table(b"image_id,years\na,50\n")

    assert str(caught.value) == (
        "The metadata table needs at least one of the columns age_approx, age, sex, gender, localization, "
        "anatom_site, anatom_site_general, region, clin_size_long_diam_mm, fitzpatrick_skin_type, "
        "personal_hx_skin_cancer, family_hx_skin_cancer, high_sun_exposure, immunosuppressed. "
        "Received the columns: image_id, years. Add or rename a column."
    )


def test_metadata_table_without_photo_names_is_refused():
    with pytest.raises(TableError, match=r"^The metadata table needs a column 'image_id' \(or 'image'\)"):
        read_metadata_table(b"age,sex\n50,male\n")


def test_answers_are_read_from_the_columns_of_their_names():
    table = read_metadata_table(
        b"image,changing,worried,several_colours,inflamed\na,no,False,yes,\nb,maybe,1,unknown,0\n"
    )

    assert table["a"][0].answers == Answers(changing=False, worried=False, several_colours=True)
    assert table["b"][0].answers == Answers(worried=True, inflamed=False)
    assert table["b"][0].problem == (
        "Metadata used in part. The metadata table, line 3: Expected yes or no for changing, or empty for unknown. "
        "Received 'maybe'."
    )


def test_symptoms_of_pad_ufes_20_count_where_they_say_yes_only():
    table = read_metadata_table(
        b"image,itch,grew,hurt,changed,bleed\na,True,False,False,True,True\nb,False,False,False,False,False\n"
    )

    assert table["a"][0].answers == Answers(painful=True, changing=True, bleeding=True)
    assert table["b"][0].answers == Answers()
    assert table["a"][0].problem == table["b"][0].problem == ""


def test_a_yes_of_a_symptom_outweighs_a_no_of_its_question():
    table = read_metadata_table(b"image,bleeding,bleed\na,no,True\n")

    assert table["a"][0].answers.bleeding is True
