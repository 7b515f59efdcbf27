"""The meter: what counts as a changed answer, what is counted from many photos, and how the limit follows."""

import json

import numpy as np
import pytest

from dermascan_core.domain import Metadata, NextStep, Repeatability
from dermascan_core.errors import DatasetError
from dermascan_core.evaluation.repeatability import DEFAULT_LIMIT, compare_answers, meter_repeatability
from dermascan_core.evaluation.repeatability_report import (
    MeteredPhoto,
    build_repeatability,
    describe_repeatability,
    fit_limit,
    run_repeatability,
)
from dermascan_core.imaging.crop import find_crop
from dermascan_core.imaging.small_changes import SMALL_CHANGES
from dermascan_core.model.predictor import PhotoOutput, prediction_from_views
from dermascan_core.tables import LabelledPhoto
from dermascan_core.triage.policy import step_from_model
from tests.evaluation.results_by_hand import MANIFEST, result
from tests.fakes import CODES, FakePredictor, fake_manifest, fake_photo, photo_bytes

WORDS = tuple(change.words for change in SMALL_CHANGES)


def _output(views):
    prediction = prediction_from_views(np.array(views), MANIFEST)
    return PhotoOutput(prediction, prediction, np.zeros(3))


def _sure(code, share=0.9):
    row = np.full(len(CODES), (1 - share) / (len(CODES) - 1))
    row[CODES.index(code)] = share
    return row


def test_another_class_and_another_advice_are_counted_apart():
    shown = _output([_sure("nv", 0.97)])
    doubtful = np.zeros(len(CODES))
    doubtful[[CODES.index("nv"), CODES.index("mel")]] = 0.88, 0.12  # nevus first, melanoma in the set

    other_class, other_advice = compare_answers(shown, [shown, _output([_sure("mel")]), _output([doubtful])])

    assert other_class == [False, True, False]
    assert other_advice == [False, True, True]


def test_two_views_that_disagree_are_no_change_of_the_photo():
    shown = _output([_sure("mel")] * 8)
    split = _output([_sure("mel"), _sure("nv")])

    assert split.prediction.is_unsure
    assert compare_answers(shown, [split]) == ([False], [False])


def test_steady_model_changes_in_none_of_the_small_changes():
    photo = fake_photo()
    predictor = FakePredictor(fixed=_sure("nv", 0.97))
    output = predictor.predict(np.zeros((1, 160, 160, 3), np.uint8), [Metadata()])[0]

    meter = meter_repeatability(predictor, photo, find_crop(photo), output, Metadata())

    assert (meter.changes, meter.n_changed, meter.limit, meter.is_unsure) == (WORDS, 0, DEFAULT_LIMIT, False)


def test_model_that_looks_at_light_alone_changes_with_the_light():
    photo = fake_photo(lesion=(120, 70, 50))
    predictor = FakePredictor(manifest=fake_manifest())
    square = np.zeros((160, 160, 3), np.uint8)
    square[:] = (200, 160, 140)

    output = predictor.predict(square[np.newaxis], [Metadata()])[0]
    meter = meter_repeatability(predictor, photo, find_crop(photo), output, Metadata(), limit=0)

    assert step_from_model(output.prediction, None) is not NextStep.URGENT_2_WEEKS
    assert meter.n_changed == len({*meter.other_class, *meter.other_advice}) > 0
    assert meter.is_unsure


def _metered(number, dx, answer, n_changed):
    changed = WORDS[:n_changed]
    return MeteredPhoto(
        result(f"p{number}", dx, answer, lesion_id=f"L{number}"), Repeatability(WORDS, changed, (), DEFAULT_LIMIT)
    )


def test_accuracy_is_told_by_the_number_of_changes():
    right = [_metered(i, "nv", {}, 0) for i in range(18)]
    wrong = [_metered(20, "mel", {}, 4), _metered(21, "nv", {"mel": 0.9}, 4)]

    measured = build_repeatability([*right, *wrong], MANIFEST, engine="fake", n_resamples=20)

    by_n = {row["n_changed"]: row for row in measured["rows"]}
    assert (by_n[0]["n"], by_n[0]["measures"]["accuracy"]["value"]) == (18, 1.0)
    assert (by_n[4]["n"], by_n[4]["n_malignant"], by_n[4]["measures"]["accuracy"]["value"]) == (2, 1, 0.0)
    assert by_n[7]["measures"]["accuracy"]["value"] is None
    assert measured["changed"]["any"]["value"] == 0.1
    assert measured["changed"]["mean"]["value"] == pytest.approx(2 * 0.4 / 20)
    assert measured["changed"]["auc_for_wrong"]["value"] == 1.0
    assert measured["limit"]["value"] == 0
    malignant = next(row for row in measured["classes"] if row["dx"] == "malignant")
    assert (malignant["n"], malignant["measures"]["any_changed"]["value"]) == (1, 1.0)


@pytest.mark.parametrize(
    ("n_changed", "expected"),
    [([0] * 100, 0), ([0] * 88 + [2] * 12, 2), ([0] * 50 + [9] * 50, DEFAULT_LIMIT), ([], DEFAULT_LIMIT)],
)
def test_limit_lets_at_most_one_answer_in_ten_become_unsure(n_changed, expected):
    assert fit_limit(np.array(n_changed, int)) == expected


def test_file_holds_what_was_counted_of_photos_on_disk(tmp_path):
    for name, lesion in (("a", (60, 35, 28)), ("b", (150, 100, 80))):
        (tmp_path / f"{name}.jpg").write_bytes(photo_bytes(fake_photo(lesion=lesion)))
    photos = [LabelledPhoto("a", "mel", True), LabelledPhoto("b", "nv", False), LabelledPhoto("gone", "nv", False)]
    files = {name: tmp_path / f"{name}.jpg" for name in ("a", "b")}

    measured = run_repeatability(FakePredictor(), photos, files, out=tmp_path / "out", split="train", fold="0")

    written = json.loads((tmp_path / "out" / "repeatability.json").read_text())
    assert written == measured
    assert (written["data"]["n"], written["data"]["split"], written["data"]["fold"]) == (2, "train", "0")
    assert [change["words"] for change in written["changes"]] == list(WORDS)
    assert sum(row["n"] for row in written["rows"]) == 2
    assert any(line.startswith("Limit: ") for line in describe_repeatability(written))


def test_photos_that_cannot_be_read_are_said(tmp_path):
    with pytest.raises(DatasetError, match="None of them could be read"):
        run_repeatability(FakePredictor(), [LabelledPhoto("gone", "nv", False)], {}, out=tmp_path)
