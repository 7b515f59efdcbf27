import json
import shutil
from dataclasses import replace

import pytest

from dermascan_core.evaluation.report import build_metrics
from dermascan_core.model.manifest import CLINICAL_FIELDS, load_manifest
from dermascan_core.training.model_card import render_model_card
from dermascan_core.training.publish import publish_release
from dermascan_core.training.release import make_release
from dermascan_core.training.releases import NEW_TO_IT
from dermascan_core.trust.cases import cases_file, load_cases
from tests.evaluation.results_by_hand import MANIFEST, random_results
from tests.training.conftest import dataset_rows, write_dataset


@pytest.fixture(scope="module")
def published(finished_run, generated_dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    make_release(finished_run, data=generated_dataset, name="tiny", weights_dir=folder)
    rows = [row for row in dataset_rows() if row["dx"] in ("mel", "nv")][:6]
    clinic = write_dataset(tmp_path_factory.mktemp("other") / "clinic", rows=rows)
    phones = folder / "tiny.evaluation" / "cross-validation-phone"
    phones.mkdir(parents=True)
    measured = build_metrics(random_results(1, 40), MANIFEST, engine="fake", use_metadata=True, n_resamples=20)
    (phones / "metrics.json").write_text(json.dumps(measured))
    manifest = publish_release(
        "tiny",
        data=generated_dataset,
        weights_dir=folder,
        card=folder / "card.md",
        external=[clinic],
        repeated=["cross-validation-phone"],
    )
    return manifest, folder


def test_manifest_repeats_what_evaluate_wrote(published):
    manifest, folder = published

    for name, split in (("test", "test"), ("test-no-metadata", "test"), ("clinic", "")):
        written = json.loads((folder / "tiny.evaluation" / name / "metrics.json").read_text())
        assert manifest.metrics[name]["summary"] == written["summary"]
        assert manifest.metrics[name]["data"]["split"] == split
    assert load_manifest(folder / "tiny.json") == manifest


def test_only_the_test_split_is_measured(published):
    _, folder = published

    lines = (folder / "tiny.evaluation" / "test" / "predictions.csv").read_text().splitlines()

    assert {line.split(",")[0] for line in lines[1:]} == {
        "nv_12_0",
        "nv_12_1",
        *(f"{c}_6_{v}" for c in ("mel", "bcc", "bkl") for v in (0, 1)),
    }


def test_model_card_shows_the_manifests_figures_and_no_others(published):
    manifest, folder = published
    card = (folder / "card.md").read_text()

    assert card == render_model_card(manifest)
    assert f"`p_malignant` >= {manifest.threshold:.4f}" in card
    assert manifest.sha256 in card
    value = manifest.metrics["test"]["summary"]["malignant_auc"]["value"]
    assert f"{value:.3f} (" in card
    assert "not a medical device" in card
    assert f"may calm below {manifest.calm_threshold:.4f} alone, which 99.5 % of" in card
    watch = manifest.metrics["test"]["calmest_steps"]["watch"]
    assert f"answered calmly: {watch['n_malignant']} of {manifest.metrics['test']['data']['n_malignant']} malig" in card
    rounding = manifest.training["rounding"]
    assert f"Of {rounding['n_photos']} photos of the fold, answered with them and as they were trained, " in card
    before = render_model_card(replace(manifest, calm_threshold=None, metrics={}))
    assert f"may calm below {manifest.threshold:.4f} alone, the same line." in before


def test_figures_of_phone_photos_are_repeated_and_decide_what_the_card_says_of_them(published):
    manifest, folder = published
    written = json.loads((folder / "tiny.evaluation" / "cross-validation-phone" / "metrics.json").read_text())
    learnt_from_phones = replace(manifest, clinical={name: getattr(manifest, name) for name in CLINICAL_FIELDS})

    card = render_model_card(learnt_from_phones)

    assert manifest.metrics["cross-validation-phone"]["summary"] == written["summary"]
    n_melanomas = written["data"]["n_by_class"]["mel"]
    assert f"Phone photos were measured on 40 alone, {n_melanomas} of them of melanoma." in card
    assert "Phone photos were not measured." in render_model_card(manifest)
    assert "--external clinic" in card
    assert "--external cross-validation-phone" not in card


def test_card_says_how_each_kind_of_release_is_made_again(published):
    manifest, _ = published
    alone = replace(manifest, version="1", data={**manifest.data, "name": "HAM10000"})
    recipe = {**manifest.training["recipe"], "teacher": "runs/inception_v3/fold-0"}
    student = replace(
        manifest,
        name="dermascan",
        version="2",
        data={**manifest.data, "name": "HAM10000; PAD-UFES-20", "validation_fold": 3},
        training={**manifest.training, "recipe": recipe},
    )
    small = replace(
        student, name="nasnet_mobile", training={**student.training, "recipe": {**recipe, "pretrained": "none"}}
    )
    larger = replace(
        student, training={**student.training, "recipe": {**recipe, "pretrained": "/tmp/runs/student/fold-3"}}
    )
    of_all_folds = replace(student, threshold_rule=f"stricter of two on 5 folds, {NEW_TO_IT}")
    both = "--data HAM10000 --data PAD-UFES-20"

    assert "release runs/tiny --data HAM10000 --name tiny --card docs/model-card.md" in render_model_card(alone)
    assert f"rebuild dermascan {both} --runs runs --fold 3 --release --card docs/model-card.md" in render_model_card(
        student
    )
    assert f"rebuild dermascan {both} --runs runs --card docs/model-card.md --ext" in render_model_card(of_all_folds)
    of_small = f"rebuild nasnet_mobile {both} --runs runs --fold 3 --release --card docs/model-card-nasnet-mobile.md"
    assert of_small in render_model_card(small)
    assert "Started from random weights" in render_model_card(small)
    assert "Started from the run `student/fold-3`" in render_model_card(larger)
    assert "`WEIGHTS` a local file" in render_model_card(alone)
    assert "WEIGHTS" not in render_model_card(student)


def test_model_card_of_a_release_without_metrics_claims_nothing(published, tmp_path):
    _, folder = published
    copy = shutil.copy(folder / "tiny.json", tmp_path / "tiny.json")
    data = json.loads(copy.read_text())
    data["metrics"] = {}
    copy.write_text(json.dumps(data))

    assert "Measured" not in render_model_card(load_manifest(copy))


def test_published_release_has_an_index_of_similar_photos_measured_on_test(published):
    manifest, folder = published

    index = load_cases(cases_file(folder, "tiny"), model_sha256=manifest.sha256)
    measured = json.loads((folder / "tiny.evaluation" / "similar-cases" / "retrieval.json").read_text())

    assert len(index) == sum(row["split"] == "train" for row in dataset_rows())
    assert measured["measured_on"] == "test"
    assert measured["types"]["dermoscopic"]["n"] == sum(row["split"] == "test" for row in dataset_rows())
