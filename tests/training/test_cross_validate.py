import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from dermascan_core.errors import DatasetError
from dermascan_core.evaluation.evaluate import METRICS_FILE, PREDICTIONS_FILE
from dermascan_core.model.predictor import make_prediction
from dermascan_core.taxonomy import ham_code
from dermascan_core.training.cross_validate import answer_fold, run_folds, serve_folds, write_pooled
from dermascan_core.training.data import load_dataset
from dermascan_core.training.fold_answers import (
    FOLD_FILE,
    FoldAnswers,
    join_recipes,
    read_answers,
    read_folds,
    write_answers,
)
from dermascan_core.training.run_setup import split_fold


@pytest.fixture(scope="module")
def dataset(generated_dataset):
    return load_dataset(generated_dataset)


@pytest.fixture(scope="module")
def finished_folds(finished_run, generated_dataset, dataset, smoke_preset, tmp_path_factory):
    """A cross-validation of two folds; the first was trained before, as a run that was stopped would be."""
    out = tmp_path_factory.mktemp("runs") / "cv"
    shutil.copytree(finished_run, out / "fold-0")
    runs = run_folds(smoke_preset, dataset=dataset, data=generated_dataset, out=out)
    assert [run.name for run in runs] == ["fold-0", "fold-1"]
    return out


def _answers(dataset, fold, *, seed=0, shift=0.0, sampling=(0.25,) * 4):
    """Answers that are mostly right, without a network."""
    _, photos = split_fold(dataset, fold)
    codes = ("mel", "nv", "bcc", "pbk")
    rng = np.random.default_rng((seed, fold))
    truth = [codes.index({"bkl": "pbk"}.get(p.dx, p.dx)) for p in photos]
    logits = rng.normal(0, 1, (len(photos), 8, 4)) + 2 * np.eye(4)[truth][:, None] + shift
    record = {
        "preset": {"backbone": f"network_{seed}", "input_px": 64, "detail_px": 150},
        "codes": list(codes),
        "metadata_fields": ["age_approx", "sex", "anatom_site"],
        "split_sha256": dataset.split_sha256,
        "class_shares": [0.2, 0.4, 0.2, 0.2],
        "sampling_shares": list(sampling),
    }
    return FoldAnswers(fold, tuple(p.image_id for p in photos), logits, logits * 0.5, record, "epoch 1")


def test_every_training_photo_is_answered_once_by_a_run_of_another_fold(finished_folds, dataset):
    folds = read_folds(finished_folds)

    answered = [image_id for answers in folds for image_id in answers.image_ids]
    assert sorted(answered) == sorted(p.image_id for p in dataset.part(split="train"))
    for answers in folds:
        own = {p.image_id for p in dataset.photos if p.fold == str(answers.fold)}
        assert set(answers.image_ids) == own
        assert answers.record["fold"] == answers.fold
        assert answers.told.shape == (len(own), 8, len(answers.record["codes"]))


def test_finished_folds_are_not_trained_again(finished_folds, generated_dataset, dataset, smoke_preset):
    before = {path: path.stat().st_mtime_ns for path in finished_folds.glob("fold-*/*")}

    run_folds(smoke_preset, dataset=dataset, data=generated_dataset, out=finished_folds)

    assert {path: path.stat().st_mtime_ns for path in finished_folds.glob("fold-*/*")} == before


def test_pooled_evaluation_holds_every_photo_and_both_ways_of_asking(finished_folds, dataset, tmp_path):
    metrics = write_pooled(read_folds(finished_folds), dataset, name="tiny", out=tmp_path)

    n_train = len(dataset.part(split="train"))
    assert metrics["data"]["n_rows"] == n_train
    assert [row["fold"] for row in metrics["folds"]["rows"]] == ["0", "1"]
    for evaluation in ("cross-validation", "cross-validation-no-metadata"):
        rows = (tmp_path / evaluation / PREDICTIONS_FILE).read_text().splitlines()
        assert len(rows) == n_train + 1
        assert json.loads((tmp_path / evaluation / METRICS_FILE).read_text())["data"]["n_rows"] == n_train


def test_answers_come_back_from_disk(dataset, tmp_path):
    answers = _answers(dataset, 0)

    write_answers(answers, tmp_path / FOLD_FILE)
    read = read_answers(tmp_path / FOLD_FILE)

    assert (read.fold, read.image_ids, read.kept) == (0, answers.image_ids, "epoch 1")
    np.testing.assert_allclose(read.told, answers.told, atol=0.01)


def test_a_folds_calibration_does_not_depend_on_its_own_answers(dataset):
    folds = [_answers(dataset, 0), _answers(dataset, 1)]
    changed = [replace(folds[0], told=folds[0].told * 7 - 3), folds[1]]

    own, after = serve_folds(folds, dataset, name="x")[0], serve_folds(changed, dataset, name="x")[0]

    assert (own.manifest.temperature, own.manifest.threshold) == (after.manifest.temperature, after.manifest.threshold)
    assert own.manifest.conformal == after.manifest.conformal
    assert own.manifest.temperature != serve_folds(folds, dataset, name="x")[1].manifest.temperature


def test_joined_recipes_answer_with_the_mean_of_their_probabilities(dataset):
    one, two = ([_answers(dataset, fold, seed=seed) for fold in (0, 1)] for seed in (1, 2))

    served = serve_folds(join_recipes([one, two]), dataset, name="both")[0]

    alone = [make_prediction(folds[0].told[0], served.manifest).probabilities for folds in (one, two)]
    np.testing.assert_allclose(served.outputs[0].prediction.probabilities, np.mean(alone, axis=0), atol=1e-12)
    assert served.manifest.backbone == "network_1 + network_2"


def test_members_drawn_at_another_mix_are_brought_to_the_first_ones(dataset):
    """The same network, its loss balanced otherwise, must count the same."""
    even = [_answers(dataset, fold) for fold in (0, 1)]
    mix = (0.1, 0.2, 0.3, 0.4)
    skewed = [_answers(dataset, fold, shift=np.log(np.array(mix) / 0.25), sampling=mix) for fold in (0, 1)]

    joined = join_recipes([even, skewed])[0]

    np.testing.assert_allclose(joined.told[:, :8], joined.told[:, 8:], atol=1e-9)


def test_recipes_of_other_photos_are_not_joined(dataset):
    folds = [_answers(dataset, 0), _answers(dataset, 1)]
    other = [replace(folds[0], image_ids=tuple(reversed(folds[0].image_ids))), folds[1]]

    with pytest.raises(DatasetError, match="Cross-validate all recipes on the same data"):
        join_recipes([folds, other])


def test_a_recipe_is_not_joined_with_itself(dataset):
    one, two = ([_answers(dataset, fold, seed=seed) for fold in (0, 1)] for seed in (1, 2))

    with pytest.raises(DatasetError) as error:
        join_recipes([one, two, one])

    assert str(error.value) == (
        "Expected recipes that differ. Number 1 and number 3 give the same answers in fold 0. "
        "Name each cross-validation once."
    )


def test_one_fold_alone_is_not_pooled(finished_folds, tmp_path):
    shutil.copytree(finished_folds / "fold-0", tmp_path / "fold-0")

    with pytest.raises(DatasetError, match="Expected at least two finished folds"):
        read_folds(tmp_path)


def test_unknown_fold_is_named(dataset, generated_dataset, smoke_preset, tmp_path):
    with pytest.raises(DatasetError, match=r"Expected folds among \[0, 1\]\. Received \[7\]"):
        run_folds(smoke_preset, dataset=dataset, data=generated_dataset, out=tmp_path, folds=[7])


def test_answering_again_gives_the_same(finished_folds, dataset):
    before = read_answers(finished_folds / "fold-1" / FOLD_FILE)

    again = answer_fold(finished_folds / "fold-1", dataset)

    np.testing.assert_allclose(again.told, before.told, atol=5e-3)
    assert {ham_code(code) for code in again.record["codes"]} <= {"mel", "nv", "bcc", "bkl"}
