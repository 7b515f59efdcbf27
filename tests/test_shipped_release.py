"""What ships is what was measured: weights, manifest, evaluation files and model card tell one story."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from dermascan_core.evaluation.evaluate import predict_photos
from dermascan_core.evaluation.experiments import markdown_page, read_experiments
from dermascan_core.imaging.examples import EXAMPLES, make_example
from dermascan_core.services.models import DEFAULT_MODEL, WEIGHTS_DIR, list_models, load_model_manifest, load_predictor
from dermascan_core.services.performance import load_recipe_folds
from dermascan_core.tables import find_photos, read_labels, read_split, shipped_splits
from dermascan_core.taxonomy import HAM_CODES
from dermascan_core.training.fold_answers import read_folds
from dermascan_core.training.model_card import render_model_card
from dermascan_core.training.releases import RELEASES
from tests.contract.tree import ROOT

N_REAL_PHOTOS = 24
SHIPPED = sorted(manifest.name for manifest in list_models())


@pytest.fixture(scope="module")
def predictor():
    return load_predictor()


def test_default_model_and_the_papers_network_ship():
    assert {DEFAULT_MODEL, "nasnet_mobile"} <= set(SHIPPED)
    assert set(SHIPPED) <= set(RELEASES)


def test_shipped_manifest_names_the_nine_classes_in_their_order():
    manifest = load_model_manifest()

    assert manifest.name == DEFAULT_MODEL
    assert manifest.codes == ("mel", "nv", "bcc", "ak", "scc", "pbk", "sk", "df", "vasc")
    assert len(manifest.class_shares) == len(manifest.codes)


@pytest.mark.parametrize(
    ("name", "evaluation"),
    [
        (name, one)
        for name in SHIPPED
        for one in sorted({"test", "test-no-metadata", *load_model_manifest(name).metrics})
    ],
)
def test_manifest_repeats_the_shipped_evaluation(name, evaluation):
    manifest = load_model_manifest(name)
    folder = WEIGHTS_DIR / f"{name}.evaluation" / evaluation
    written = json.loads((folder / "metrics.json").read_text())

    assert manifest.metrics[evaluation]["summary"] == written["summary"]
    assert written["model"]["sha256"] == manifest.sha256
    assert written["data"]["n_rows"] == len((folder / "predictions.csv").read_text().splitlines()) - 1


@pytest.mark.parametrize("name", SHIPPED)
def test_model_card_is_generated_from_the_manifest(name):
    card = ROOT / "docs" / RELEASES[name].card

    assert card.read_text(encoding="utf-8") == render_model_card(load_model_manifest(name))


def test_page_of_the_ablation_is_generated_from_the_shipped_records():
    runs = read_experiments([*sorted((WEIGHTS_DIR / "experiments").glob("ablation-*.json"))])

    assert len(runs) >= 15
    assert len({(one.base, one.fold, one.split_sha256) for one in runs}) == 1
    assert all(one.is_finished and one.measure("score", n_views=8) is not None for one in runs)
    assert (ROOT / "docs" / "ablations.md").read_text(encoding="utf-8") == markdown_page(runs)


def test_every_measure_that_people_look_for_is_there_with_its_interval():
    summary = load_model_manifest().metrics["test"]["summary"]

    for name in ("accuracy", "balanced_accuracy", "macro_auc", "malignant_auc", "ece", "specificity_at_threshold"):
        assert summary[name]["low"] <= summary[name]["value"] <= summary[name]["high"]


def test_melanoma_has_a_row_of_its_own():
    melanoma = load_model_manifest().metrics["test"]["classes"]["mel"]

    assert {"precision", "sensitivity", "f1", "specificity", "auc"} <= set(melanoma)
    assert melanoma["n"] == 110


@pytest.mark.parametrize("name", SHIPPED)
def test_no_lesion_of_the_test_split_trained_the_network(name):
    written = json.loads((WEIGHTS_DIR / f"{name}.evaluation" / "test" / "metrics.json").read_text())

    assert written["data"]["overlap"]["n_photos"] == 0


def test_shipped_network_answers_a_generated_example(predictor):
    from dermascan_core.domain import ImageType, Status
    from dermascan_core.services.screening import screen_lesion
    from tests.fakes import photo_bytes

    example = next(e for e in EXAMPLES if e.key == "irregular-dark")
    screening = screen_lesion(
        [("example.png", photo_bytes(make_example(example.key), "PNG"))],
        metadata=example.metadata,
        answers=example.answers,
        image_type=ImageType.DERMOSCOPIC,
        predictor=predictor,
        explain=True,
    )

    photo = screening.photos[0]
    assert photo.status is not Status.REFUSED
    assert photo.prediction.ham_probabilities.sum() == pytest.approx(1)
    assert set(photo.heat_maps) == set(HAM_CODES)
    assert screening.model == DEFAULT_MODEL


@pytest.mark.real_data
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_predictions_come_out_again(name, data_dir):
    """A slice of ``evaluate`` on the test split; the whole of it is one command."""
    predictor = load_predictor(name)
    folder = data_dir / "ham10000"
    photos = [p for p in read_labels(folder / "metadata.csv") if p.split == "test"][:N_REAL_PHOTOS]
    files = find_photos(folder / "images", [p.image_id for p in photos])
    with (WEIGHTS_DIR / f"{name}.evaluation" / "test" / "predictions.csv").open(newline="") as file:
        shipped = {row["image_id"]: row for row in csv.DictReader(file)}

    results = predict_photos(predictor, photos, files)

    for result in results:
        row = shipped[result.photo.image_id]
        found = result.prediction.ham_probabilities
        np.testing.assert_allclose(found, [float(row[f"p_{code}"]) for code in HAM_CODES], atol=1e-4)
        assert result.prediction.predicted == row["predicted"]


def test_answer_time_page_shows_what_was_promised():
    """Under 5 s for the first answer to a 12-megapixel photo; measured by benchmarks/answer_time.py, not here."""
    page = (ROOT / "docs" / "answer-time.md").read_text(encoding="utf-8")
    ours = next(line for line in page.splitlines() if line.startswith("| DermaScan, engine "))

    first, later = (cell.split("(")[0].strip() for cell in ours.split("|")[2:4])
    assert float(first) < 5.0
    assert float(later) < 1.5


ANSWER_ONCE = """
import json, sys
from dermascan_core.domain import Answers, ImageType, Metadata
from dermascan_core.imaging.examples import example_png
from dermascan_core.services.models import load_predictor
from dermascan_core.services.screening import screen_lesion

predictor = load_predictor()
screening = screen_lesion([("example.png", example_png("irregular-dark"))], metadata=Metadata(age_approx=60), answers=Answers(),
                          image_type=ImageType.DERMOSCOPIC, predictor=predictor, explain=True)
photo = screening.photos[0]
print(json.dumps({
    "model": screening.model, "engine": screening.engine, "status": photo.status, "step": screening.next_step,
    "shares": [float(p) for p in photo.prediction.ham_probabilities], "n_maps": len(photo.heat_maps),
    "heavy": sorted({"keras", "tensorflow", "torch", "jax"} & set(sys.modules)),
    "litert": "ai_edge_litert" in sys.modules,
}))
"""


def test_shipped_folds_answer_for_their_own_fold_of_the_shipped_split():
    fold_of = {row.image_id: row.fold for path in shipped_splits() for row in read_split(path) if row.split == "train"}
    for name, metrics in load_recipe_folds().items():
        folds = read_folds(WEIGHTS_DIR / "cross_validation" / name)
        answered = {image_id: str(answers.fold) for answers in folds for image_id in answers.image_ids}

        assert answered == fold_of
        assert all(answers.recipes == metrics["recipes"] for answers in folds)
        assert not any("/" in one["pretrained"] for one in metrics["recipes"])
        # Of all photos the dermoscopic ones, fold by fold.
        with (WEIGHTS_DIR / "cross_validation" / name / "cross-validation" / "predictions.csv").open(
            newline=""
        ) as file:
            measured = {row["image_id"]: row["fold"] for row in csv.DictReader(file)}
        assert len(measured) == metrics["data"]["n_predicted"]
        assert measured.items() <= answered.items()


def test_default_model_computes_an_answer_with_litert_and_no_keras_in_the_process():
    environment = {
        name: value for name, value in os.environ.items() if name not in ("DERMASCAN_API_URL", "DERMASCAN_WEIGHTS")
    }

    done = subprocess.run(
        [sys.executable, "-c", ANSWER_ONCE],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
    )

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["model"], told["engine"]) == (DEFAULT_MODEL, "litert")
    assert told["status"] in ("answered", "unsure")
    assert sum(told["shares"]) == pytest.approx(1, abs=1e-5)
    assert 0 < min(told["shares"]) < max(told["shares"]) < 1
    assert told["n_maps"] == len(HAM_CODES)
    assert told["litert"]
    assert told["heavy"] == []
