import json

import pytest

from dermascan_core.domain import CalmRate
from dermascan_core.errors import WeightsError
from dermascan_core.model.manifest import save_manifest
from dermascan_core.services.performance import (
    available_evaluations,
    calm_rate,
    load_evaluation,
    load_recipe_folds,
    may_answer_people,
)
from tests.fakes import fake_manifest


def _write(folder, which, content):
    path = folder / "dermascan.evaluation" / which / "metrics.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)


def test_evaluations_are_listed_with_the_main_ones_first(tmp_path):
    for which in ("outside", "test-no-metadata", "test"):
        _write(tmp_path, which, "{}")

    assert available_evaluations("dermascan", weights_dir=tmp_path) == ("test", "test-no-metadata", "outside")


def _metrics(sha256="0" * 64):
    return {"schema": 1, "model": {"sha256": sha256}, "summary": {}}


def test_evaluation_is_what_evaluate_wrote(tmp_path):
    save_manifest(fake_manifest(name="dermascan"), tmp_path / "dermascan.json")
    _write(tmp_path, "test", json.dumps(_metrics()))

    assert load_evaluation("dermascan", "test", weights_dir=tmp_path) == _metrics()


def test_evaluation_of_other_weights_names_both(tmp_path):
    save_manifest(fake_manifest(name="dermascan"), tmp_path / "dermascan.json")
    _write(tmp_path, "test", json.dumps(_metrics("f" * 64)))

    with pytest.raises(WeightsError) as error:
        load_evaluation("dermascan", "test", weights_dir=tmp_path)

    assert str(error.value) == (
        f"Expected the evaluation 'test' of 'dermascan' to be of its weights, sha256 {'0' * 64}. It is of {'f' * 64}. "
        "Restore both from the same release, or evaluate again."
    )


@pytest.mark.parametrize(
    ("name", "which"), [("dermascan", "train"), ("../dermascan", "test"), ("dermascan", "../test")]
)
def test_missing_evaluation_names_those_there_are(tmp_path, name, which):
    _write(tmp_path / "weights", "test", '{"schema": 1}')

    with pytest.raises(WeightsError) as error:
        load_evaluation(name, which, weights_dir=tmp_path / "weights")

    there = "none" if name == "../dermascan" else "test"
    assert str(error.value) == (
        f"Expected an evaluation '{which}' of the model '{name}'. There are: {there}. "
        "Restore the weights folder from the release, or make one with: python -m dermascan_core evaluate --help"
    )


def test_damaged_evaluation_says_what_to_do(tmp_path):
    _write(tmp_path, "test", '{"schema": ')

    with pytest.raises(WeightsError, match="The evaluation 'test' of 'dermascan' cannot be read: Expecting value"):
        load_evaluation("dermascan", "test", weights_dir=tmp_path)


def test_evaluation_of_another_schema_is_refused(tmp_path):
    _write(tmp_path, "test", '{"schema": 7}')

    with pytest.raises(WeightsError) as error:
        load_evaluation("dermascan", "test", weights_dir=tmp_path)

    assert str(error.value) == (
        "Expected schema 1 in the evaluation 'test' of 'dermascan'. Received 7. Evaluate again with this version."
    )


def _measured(folder, **changes):
    manifest = fake_manifest(name="dermascan")
    save_manifest(manifest, folder / "dermascan.json")
    estimate = {"value": 0.012, "low": 0.009, "high": 0.016}
    metrics = _metrics() | {
        "summary": {"malignant_share_below_threshold": estimate},
        "malignant": {"prevalence": 0.195},
    }
    _write(folder, "test", json.dumps(metrics | changes))
    return manifest


def test_calm_rate_is_the_share_of_cancer_below_the_threshold(tmp_path):
    manifest = _measured(tmp_path)

    assert calm_rate(manifest, weights_dir=tmp_path) == CalmRate(0.012, 0.009, 0.016, prevalence=0.195)


def test_calm_rate_is_unknown_without_a_test_of_these_very_weights(tmp_path, caplog):
    (tmp_path / "other").mkdir()
    manifest = _measured(tmp_path / "other", model={"sha256": "f" * 64})

    assert calm_rate(fake_manifest(name="dermascan"), weights_dir=tmp_path) is None
    assert calm_rate(manifest, weights_dir=tmp_path / "other") is None
    assert f"It is of {'f' * 64}." in caplog.text


@pytest.mark.parametrize(("share", "may"), [(None, True), (0.94, False), (0.96, True)])
def test_model_that_takes_walls_for_lesions_is_not_offered_to_answer(tmp_path, share, may):
    save_manifest(fake_manifest(name="dermascan"), tmp_path / "dermascan.json")
    if share is not None:
        path = tmp_path / "dermascan.evaluation" / "refusals" / "refusals.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({**_metrics(), "all_others": {"share": share}}))

    assert may_answer_people("dermascan", weights_dir=tmp_path) is may


def test_papers_network_is_measured_and_answers_on_no_page():
    assert "test" in available_evaluations("nasnet_mobile")
    assert not may_answer_people("nasnet_mobile")
    assert may_answer_people("dermascan")


def test_folds_of_another_recipe_are_not_taken_for_the_models_own(tmp_path):
    own = {"backbone": "small_net", "input_px": 96, "teacher": "runs/large/fold-0"}
    manifest = fake_manifest(name="dermascan", training={"members": [{"recipe": own}]})
    save_manifest(manifest, tmp_path / "dermascan.json")
    metrics = {**_metrics(), "folds": {"rows": []}}
    _write(tmp_path, "cross-validation", json.dumps({**metrics, "recipes": [{**own, "teacher": "fold-3"}]}))
    _write(tmp_path, "cross-validation-no-metadata", json.dumps({**metrics, "recipes": [{**own, "teacher": ""}]}))

    assert load_evaluation("dermascan", "cross-validation", weights_dir=tmp_path)["folds"] == {"rows": []}
    with pytest.raises(WeightsError, match=r"small_net at 96 px, taught\. They are of small_net at 96 px\. P"):
        load_evaluation("dermascan", "cross-validation-no-metadata", weights_dir=tmp_path)


def test_folds_of_plainer_recipes_are_found_by_name(tmp_path):
    folder = tmp_path / "cross_validation" / "plain" / "cross-validation"
    folder.mkdir(parents=True)
    assert load_recipe_folds(weights_dir=tmp_path) == {}
    (folder / "metrics.json").write_text(json.dumps(_metrics()), encoding="utf-8")

    assert load_recipe_folds(weights_dir=tmp_path) == {"plain": _metrics()}
