"""Several photos of one lesion: one lesion counts once."""

from dermascan_core.domain import ImageType, NextStep
from dermascan_core.evaluation import consistency
from dermascan_core.evaluation.report import build_metrics
from dermascan_core.evaluation.summary import describe_evaluation
from tests.evaluation.results_by_hand import MANIFEST, result

SURE = {"mel": 0.9}


def _rows(results):
    metrics = build_metrics(results, MANIFEST, engine="fake", use_metadata=True, n_resamples=50)
    return {row["dx"]: row for row in metrics["consistency"]["rows"]}


def test_lesions_that_agree_are_counted_once_each():
    same = [result(f"a{i}_{j}", "mel", SURE, lesion_id=f"A{i}") for i in range(6) for j in range(2)]
    parted = [
        result(f"b{i}_{j}", "mel", SURE if j else {}, lesion_id=f"B{i}", step=list(NextStep)[j])
        for i in range(4)
        for j in range(3)
    ]
    single = [result("c", "mel", SURE, lesion_id="C"), result("d", "mel", SURE)]

    rows = _rows([*same, *parted, *single])

    assert {k: rows["mel"][k] for k in ("n_lesions", "n_photos", "too_few")} == {
        "n_lesions": 10,
        "n_photos": 24,
        "too_few": False,
    }
    measures = {name: estimate["value"] for name, estimate in rows["mel"]["measures"].items()}
    assert measures == {
        "same_class": 0.6,
        "same_next_step": 0.6,
        "same_set": 0.6,
        "sets_overlap": 0.6,
        "all_right": 0.6,
        "any_right": 1.0,
    }
    estimate = rows[""]["measures"]["same_class"]
    assert estimate["low"] < 0.6 < estimate["high"]


def test_summary_says_how_many_lesions_got_one_answer():
    results = [
        result(f"a{i}_{j}", "mel", SURE if i or j else {}, lesion_id=f"A{i}") for i in range(10) for j in range(2)
    ]

    enough, too_few = (
        describe_evaluation(build_metrics(some, MANIFEST, engine="fake", use_metadata=True, n_resamples=20))[-1]
        for some in (results, results[:8])
    )

    assert enough == "Of 10 lesions with several photos, 90.0% got one class and 100.0% one next step."
    assert too_few.startswith("A screening would refuse")


def test_diagnosis_with_too_few_lesions_has_its_count_and_no_numbers():
    many = [result(f"a{i}_{j}", "nv", {}, lesion_id=f"A{i}") for i in range(10) for j in range(2)]
    few = [result(f"b{i}_{j}", "df", SURE, lesion_id=f"B{i}") for i in range(9) for j in range(2)]

    rows = _rows(many + few)

    assert consistency.MIN_LESIONS == 10
    assert (rows["df"]["too_few"], rows["df"]["measures"]) == (True, None)
    assert rows["nv"]["measures"]["all_right"]["value"] == 1.0
    assert rows[""]["n_lesions"] == 19


def test_groups_tell_how_the_photo_was_taken_and_how_the_diagnosis_was_confirmed():
    results = [
        result(f"a{i}", "mel" if i < 5 else "nv", SURE, image_type=ImageType.CLINICAL, confirmed_by="histopathology")
        for i in range(20)
    ]
    results += [result("z", "nv", {}, confirmed_by="a word nobody knows"), result("y", "nv", {})]

    metrics = build_metrics(results, MANIFEST, engine="fake", use_metadata=True, n_resamples=20)

    rows = {(row["kind"], row["name"]): row for row in metrics["groups"]["rows"]}
    assert rows["image_type", "clinical"]["n"] == 20
    assert rows["image_type", "dermoscopic"]["too_few"] is True
    assert rows["confirmed_by", "histopathology"]["measures"]["sensitivity_at_threshold"]["value"] == 1.0
    assert (rows["confirmed_by", "other"]["n"], rows["confirmed_by", "unknown"]["n"]) == (1, 1)
