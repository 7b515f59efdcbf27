"""Several models on the same photos: who agrees, and who agrees wrong; and the sheet that shows it."""

import io

import numpy as np
import pytest
import sklearn.metrics as sk
from PIL import Image

from dermascan_core.errors import DatasetError, TableError
from dermascan_core.evaluation.agreement import compare_predictions, describe_agreement, read_predictions
from dermascan_core.evaluation.results import predictions_csv
from dermascan_core.evaluation.sample_sheet import choose_photos, draw_sample_sheet
from dermascan_core.taxonomy import HAM_CODES
from tests.evaluation.results_by_hand import random_results, result
from tests.fakes import CODES, fake_photo, photo_bytes

MEL, NV, BKL = {"mel": 0.9}, {}, {"pbk": 0.9}


@pytest.fixture
def write(tmp_path):
    """Write results as ``evaluate`` does; return what is read of them."""

    def written(name, results):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "predictions.csv"
        path.write_text(predictions_csv(results, CODES))
        return read_predictions(path)

    return written


def _answers(answers, *, dx=("mel", "mel", "mel", "nv")):
    return [
        result(f"p{i}", own, answer, lesion_id=f"L{i}") for i, (own, answer) in enumerate(zip(dx, answers, strict=True))
    ]


def _compare(*read):
    return compare_predictions(read, n_resamples=20)


def test_predictions_are_read_as_they_were_written(write):
    results = random_results(3, 30)

    read = write("first", results)

    assert read.name == "first"
    assert read.image_ids == tuple(r.photo.image_id for r in results)
    assert [HAM_CODES[k] for k in read.y_pred] == [r.prediction.predicted for r in results]
    assert read.y_prob == pytest.approx(np.array([r.prediction.ham_probabilities for r in results]), abs=1e-7)


def test_photos_wrong_for_every_model_are_told_from_those_wrong_for_some(write):
    compared = _compare(
        write("a", _answers([MEL, NV, NV, NV])),
        write("b", _answers([NV, NV, BKL, NV])),
        write("c", _answers([MEL, NV, NV, MEL])),
    )

    melanoma = next(row for row in compared["classes"] if row["dx"] == "mel")
    assert melanoma["n_wrong_by"] == [0, 1, 0, 2]
    assert melanoma["wrong_by_all"]["value"] == pytest.approx(2 / 3, abs=1e-6)
    assert melanoma["same_wrong_class"]["value"] == pytest.approx(1 / 3, abs=1e-6)
    assert melanoma["taken_for"] == {"nv": pytest.approx(2.0), "bkl": pytest.approx(1 / 3)}
    assert [case["image_id"] for case in compared["agree_wrong"]] == ["p1"]
    assert compared["agree_wrong"][0]["predicted"] == {"a": "nv", "b": "nv", "c": "nv"}
    assert {case["image_id"]: case["n_wrong"] for case in compared["mistakes"]} == {"p0": 1, "p1": 3, "p2": 3, "p3": 1}


def test_pairs_say_how_often_two_models_are_wrong_together(write):
    compared = _compare(write("a", _answers([MEL, NV, NV, NV])), write("b", _answers([NV, NV, BKL, NV])))

    (pair,) = compared["pairs"]
    assert pair["models"] == ["a", "b"]
    assert {name: pair[name]["value"] for name in ("same_class", "both_wrong", "same_wrong_class")} == {
        "same_class": 0.5,
        "both_wrong": 0.5,
        "same_wrong_class": 0.25,
    }


def test_most_confident_mistake_comes_first(write):
    compared = _compare(write("a", _answers([{"pbk": 0.7}, {"pbk": 0.99}, MEL, MEL])))

    assert [case["image_id"] for case in compared["mistakes"]] == ["p1", "p3", "p0"]
    assert compared["pairs"] == []


def test_confusion_of_each_model_agrees_with_scikit_learn(write):
    read = write("a", random_results(4, 80))

    confusion = _compare(read)["models"][0]["confusion"]

    assert confusion["counts"] == sk.confusion_matrix(read.y_true, read.y_pred, labels=range(7)).tolist()
    expected = sk.confusion_matrix(read.y_true, read.y_pred, labels=range(7), normalize="true")
    shown = np.array([[value or 0 for value in row] for row in confusion["row_normalised"]])
    assert shown == pytest.approx(expected, abs=1e-6)


def test_photos_that_one_model_lacks_are_left_out_and_counted(write):
    results = random_results(4, 20)

    compared = _compare(write("a", results), write("b", results[5:]))

    assert (compared["n"], compared["n_left_out"]) == (15, [5, 0])
    assert describe_agreement(compared)[0] == "15 photos answered by 2 models."


def test_files_that_contradict_each_other_about_a_diagnosis_are_refused(write):
    with pytest.raises(TableError, match="'p0' has another in 'b' than in 'a'"):
        _compare(write("a", _answers([MEL] * 4)), write("b", _answers([MEL] * 4, dx=("nv", "mel", "mel", "nv"))))


def test_files_of_other_photos_are_refused(write):
    with pytest.raises(TableError, match=r"^Expected photos that every file answers\."):
        _compare(write("a", random_results(1, 5, prefix="a")), write("b", random_results(1, 5, prefix="b")))


def test_two_files_of_one_name_are_told_apart(tmp_path):
    for name in ("one/out", "two/out"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "predictions.csv").write_text(predictions_csv(_answers([MEL] * 4), CODES))

    compared = _compare(*(read_predictions(tmp_path / name / "predictions.csv") for name in ("one/out", "two/out")))

    assert [one["name"] for one in compared["models"]] == ["out 1", "out 2"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("image_id,dx\na,mel\n", "It lacks: predicted, p_akiec"),
        (
            f"image_id,dx,predicted,{','.join(f'p_{c}' for c in HAM_CODES)}\na,mel,,,,,,,,\n",
            "Expected photos with an answer and a diagnosis",
        ),
        (
            f"image_id,dx,predicted,{','.join(f'p_{c}' for c in HAM_CODES)}\na,mel,wart,1,0,0,0,0,0,0\n",
            "holds a value that `evaluate` does not write: 'wart'",
        ),
    ],
    ids=["another table", "no answers", "a class nobody knows"],
)
def test_file_that_is_no_predictions_is_refused(tmp_path, text, sentence):
    (tmp_path / "x.csv").write_text(text)

    with pytest.raises(TableError, match=sentence):
        read_predictions(tmp_path / "x.csv")


def test_sample_goes_round_the_classes_and_mistakes_are_the_surest(write):
    read = write("a", random_results(8, 60))

    drawn = choose_photos(read, kind="sample", n_photos=14, seed=1)
    mistakes = choose_photos(read, kind="mistakes", n_photos=5)

    assert np.bincount(read.y_true[drawn], minlength=7).tolist() == [2] * 7
    assert drawn == choose_photos(read, kind="sample", n_photos=14, seed=1)
    sure = [read.y_prob[i, read.y_pred[i]] for i in mistakes]
    assert sure == sorted(sure, reverse=True)
    assert all(read.y_pred[i] != read.y_true[i] for i in mistakes)
    assert len(choose_photos(read, kind="sample", n_photos=500)) == 60


def test_sheet_shows_the_photos_that_are_there(write, tmp_path):
    read = write("a", _answers([MEL, NV, NV, NV]))
    (tmp_path / "p1.png").write_bytes(photo_bytes(fake_photo(width=200, height=150), "PNG"))

    sheet = Image.open(io.BytesIO(draw_sample_sheet(read, [0, 1, 2, 3, 0], {"p1": tmp_path / "p1.png"})))

    assert sheet.size == (4 * 216, 44 + 2 * 300)
    assert sheet.getpixel((216 + 8 + 100, 44 + 75)) == pytest.approx((120, 70, 50), abs=45)
    assert sheet.getpixel((8 + 100, 44 + 75)) == (214, 218, 224)


def test_sheet_without_any_photo_is_refused(write):
    with pytest.raises(DatasetError, match=r"None of them was found\. Check --images\.$"):
        draw_sample_sheet(write("a", _answers([MEL] * 4)), [0, 1], {})
