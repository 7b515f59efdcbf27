"""Checking a data set: each kind of fault is found and named, a sound set passes, and cleaning leaves the source alone."""

import json

import pytest

from dermascan_core.datasets.clean import write_cleaned
from dermascan_core.datasets.verify import KINDS, describe, verify_dataset
from dermascan_core.errors import DatasetError, TableError
from dermascan_core.training.data import load_dataset
from tests.datasets.making import jpeg, picture, read_csv, write_folder


def _row(image_id, dx="nv", lesion="", patient="", split="train", fold="0", age="40"):
    return {
        "image_id": image_id,
        "dx": dx,
        "lesion_id": lesion or f"L{image_id}",
        "patient_id": patient,
        "age_approx": age,
        "split": split,
        "fold": fold,
    }


SOUND = [_row("a"), _row("b", dx="mel", fold="1"), _row("c", dx="bcc", split="test", fold="")]


def _codes(report):
    return {finding.code: finding.n for finding in report.findings}


def test_sound_data_set_has_no_findings(tmp_path):
    report = verify_dataset(write_folder(tmp_path, SOUND))

    assert (report.is_sound, report.n_rows, report.n_photos) == (True, 3, 3)
    assert report.findings == ()
    assert describe(report) == [
        "3 rows, 3 photos that can be read. Classes: bcc 1, mel 1, nv 1.",
        "Nothing that would stop a training or flatter its result.",
    ]


def test_photos_that_are_corrupt_small_missing_or_unlisted_are_named(tmp_path):
    rows = [*SOUND, _row("torn"), _row("small"), _row("gone")]
    pictures = {"torn": jpeg(picture(8))[:900], "small": jpeg(picture(9, width=60, height=60)), "gone": None}
    folder = write_folder(tmp_path, rows, pictures=pictures)
    (folder / "images" / "extra.jpg").write_bytes(jpeg(picture(50)))

    report = verify_dataset(folder)

    assert not report.is_sound
    assert report.find("corrupt_photo").names == ("small", "torn")
    assert report.find("corrupt_photo").sentences[1].startswith("torn: The photo is damaged or incomplete")
    assert report.find("missing_photo").names == ("gone",)
    assert report.find("unlisted_photo").names == ("extra.jpg",)


def test_leaks_by_person_and_lesion_are_named_with_their_places(tmp_path):
    rows = [*SOUND, _row("d", lesion="L1", patient="P1"), _row("e", lesion="L2", patient="P1", split="test", fold="")]
    rows += [_row("f", lesion="L9"), _row("g", lesion="L9", fold="1")]

    report = verify_dataset(write_folder(tmp_path, rows))

    assert report.find("leak_by_patient").sentences == ("P1: d (train 0), e (test)",)
    assert report.find("leak_by_lesion").groups == {"L9": ("f", "g")}
    assert not report.is_sound


def test_lesion_whose_person_only_one_row_names_leaks_and_is_cleaned(tmp_path):
    rows = [*SOUND, _row("d", lesion="L1", patient="P1"), _row("e", lesion="L1", split="test", fold="")]

    report = verify_dataset(write_folder(tmp_path / "set", rows))
    write_cleaned(report, tmp_path / "clean")

    assert report.find("leak_by_lesion").sentences == ("P1 L1: d (train 0), e (test)",)
    assert verify_dataset(tmp_path / "clean").is_sound


def test_one_picture_in_two_splits_is_a_leak_and_with_two_diagnoses_a_conflict(tmp_path):
    photo = picture(20)
    rows = [*SOUND, _row("d"), _row("e", dx="mel", split="test", fold="")]
    report = verify_dataset(write_folder(tmp_path, rows, pictures={"d": jpeg(photo), "e": jpeg(photo, 40)}))

    assert _codes(report) == {
        "leak_by_duplicate": 1,
        "label_conflict_of_duplicates": 1,
        "duplicate_of_other_lesion": 1,
        "duplicate_photo": 1,
    }
    assert not report.is_sound


def test_lesion_with_two_diagnoses_is_told(tmp_path):
    report = verify_dataset(write_folder(tmp_path, [*SOUND, _row("d", lesion="L1"), _row("e", dx="mel", lesion="L1")]))

    assert report.find("label_conflict_of_lesion").groups == {"L1": ("d", "e")}
    assert report.is_sound  # it may be true: a melanoma grows in a nevus


def test_unknown_classes_doubled_names_and_impossible_ages_are_told_by_line(tmp_path):
    rows = [*SOUND, _row("d", dx="measles"), _row("e", age="300"), _row("f", age="nan"), _row("a", dx="mel")]

    report = verify_dataset(write_folder(tmp_path, rows))

    (unknown,) = report.find("unknown_class").sentences
    assert unknown.startswith("line 5: Expected a diagnosis such as mel, nv,")
    assert unknown.endswith("Received 'measles'. Rename it in the table, or leave the row out.")
    assert report.find("wrong_value").sentences == (
        "line 6: Expected age in years between 0 and 120, or empty for unknown. Received 300.0. "
        "Correct the value, or leave it empty.",
    )
    assert report.find("duplicate_id").names == ("a",)
    assert report.find("unknown_age").names == ("e", "f")


def test_one_class_only_and_no_split_are_told(tmp_path):
    rows = [{"image_id": "a", "dx": "nv"}, {"image_id": "b", "dx": "nv"}]

    report = verify_dataset(write_folder(tmp_path, rows))

    assert _codes(report) == {"one_class": 1, "unknown_age": 2, "no_split": 2}


def test_rows_with_a_target_only_can_be_evaluated_not_trained_on(tmp_path):
    rows = [{"image_id": "a", "target": 1}, {"image_id": "b", "target": 0}]

    report = verify_dataset(write_folder(tmp_path, rows))

    assert report.find("no_diagnosis").n == 2
    assert report.is_sound


def test_training_rows_without_a_number_for_a_fold_are_told_by_line(tmp_path):
    rows = [_row("a", fold="x"), _row("b", dx="mel", fold=""), _row("c", fold="1"), _row("d", split="test", fold="")]

    report = verify_dataset(write_folder(tmp_path, rows))

    assert report.find("wrong_fold").names == ("a", "b")
    assert report.find("wrong_fold").sentences == ("line 2: fold 'x'", "line 3: fold ''")
    assert not report.is_sound
    assert (
        "ERROR   wrong_fold (2): training rows name no fold: a number is needed, such as 0."
        "\n        line 2: fold 'x'; line 3: fold ''"
    ) in "\n".join(describe(report))


def test_training_rows_in_one_fold_leave_none_to_validate(tmp_path):
    rows = [_row("a", fold="3"), _row("b", dx="mel", fold="3"), _row("c", split="test", fold="")]

    report = verify_dataset(write_folder(tmp_path, rows))

    assert report.find("one_fold").sentences == ("fold 3",)
    assert not report.is_sound


def test_set_for_tests_alone_needs_no_folds(tmp_path):
    rows = [_row("a", split="test", fold=""), _row("b", dx="mel", split="test", fold="")]

    assert verify_dataset(write_folder(tmp_path, rows)).is_sound


def test_report_is_machine_readable(tmp_path):
    rows = [*SOUND, _row("f", lesion="L9"), _row("g", lesion="L9", fold="1")]

    record = json.loads(verify_dataset(write_folder(tmp_path, rows)).to_json())

    assert (record["is_sound"], record["n_rows"], record["classes"]) == (False, 5, {"bcc": 1, "mel": 1, "nv": 3})
    (finding,) = record["findings"]
    assert finding["code"] == "leak_by_lesion"
    assert finding["groups"] == {"L9": ["f", "g"]}
    assert finding["meaning"] == KINDS["leak_by_lesion"][1]


def test_table_in_another_encoding_is_one_sentence(tmp_path):
    folder = write_folder(tmp_path, SOUND)
    (folder / "metadata.csv").write_bytes("image_id,dx,note\na,nv,Präparat\n".encode("latin-1"))

    with pytest.raises(TableError) as error:
        verify_dataset(folder)

    assert str(error.value) == (
        "The data set's table is not UTF-8 text (byte 24 cannot be read). Save it as 'CSV UTF-8' and try again."
    )


def test_cleaning_takes_bad_rows_out_with_their_reason_and_leaves_the_source_alone(tmp_path):
    photo = picture(20)
    rows = [
        *SOUND,
        _row("torn"),
        _row("gone"),
        _row("odd", dx="measles"),
        _row("a", dx="mel"),
        _row("old", age="300"),
        *(_row(name, lesion="L9") for name in ("f", "g")),
        _row("h", lesion="L9", split="test", fold=""),
        _row("x", dx="nv"),
        _row("y", dx="mel"),
    ]
    pictures = {"torn": b"no photo", "gone": None, "x": jpeg(photo), "y": jpeg(photo, 60)}
    folder = write_folder(tmp_path / "set", rows, pictures=pictures)
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    done = write_cleaned(verify_dataset(folder), tmp_path / "clean")

    assert {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()} == before
    assert {row["image_id"]: row["reason"] for row in read_csv(tmp_path / "clean" / "removed.csv")} == {
        "torn": "corrupt_photo",
        "gone": "missing_photo",
        "odd": "unknown_class",
        "a": "duplicate_id",
        "h": "leak",
        "x": "label_conflict_of_duplicates",
        "y": "label_conflict_of_duplicates",
    }
    assert (done.n_kept, done.n_blanked) == (6, 1)
    assert verify_dataset(tmp_path / "clean").is_sound
    assert [p.image_id for p in load_dataset(tmp_path / "clean").photos] == ["a", "b", "c", "old", "f", "g"]


def test_cleaning_into_the_data_set_itself_is_refused(tmp_path):
    folder = write_folder(tmp_path, SOUND)

    with pytest.raises(DatasetError, match="Expected another folder than the data set's own"):
        write_cleaned(verify_dataset(folder), folder)


@pytest.mark.real_data
def test_real_smartphone_photos_hold_one_picture_twice_and_nothing_that_leaks(data_dir):
    report = verify_dataset(data_dir / "pad_ufes_20")

    assert (report.n_photos, report.is_sound) == (529, True)
    assert report.find("duplicate_photo").groups == {"PAT_701_1321_156": ("PAT_701_1321_156", "PAT_701_4056_457")}
