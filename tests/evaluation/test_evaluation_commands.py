"""The commands that measure, as a script would use them."""

import json

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.errors import WeightsError
from dermascan_core.evaluation.agreement import read_predictions
from dermascan_core.evaluation.damage import STRESSES
from dermascan_core.evaluation.folds import write_fold_evaluation
from dermascan_core.evaluation.stress_report import build_stress
from dermascan_core.model.manifest import save_manifest
from dermascan_core.services import models
from dermascan_core.services.performance import load_agreement, load_comparison, load_evaluation, load_stress
from tests.evaluation.results_by_hand import MANIFEST, random_results
from tests.evaluation.test_stress import MEL, NV, _stressed
from tests.fakes import FakePredictor, fake_photo, photo_bytes


@pytest.fixture(autouse=True)
def _fake_model(monkeypatch):
    monkeypatch.setattr(models, "load_predictor", lambda name, engine, **_: FakePredictor())


@pytest.fixture
def folder(tmp_path):
    """Photos and labels of three archives' fashions."""
    (tmp_path / "images").mkdir()
    for number, colour in enumerate([(40, 25, 20), (120, 70, 50), (40, 25, 20)]):
        photo = photo_bytes(fake_photo(width=200, height=150, lesion=colour), "PNG")
        (tmp_path / "images" / f"P_{number}.png").write_bytes(photo)
    (tmp_path / "ham.csv").write_text("image_id,lesion_id,dx,split\nP_0,L0,mel,test\nP_1,L1,nv,test\nP_2,L2,nv,train\n")
    (tmp_path / "pad.csv").write_text(
        "patient_id,lesion_id,age,gender,fitspatrick,region,diagnostic,img_id,biopsed\n"
        "A,1,70,MALE,2.0,FACE,MEL,P_0.png,True\nB,2,,,,ARM,NEV,P_1.png,False\nB,3,,,,ARM,SEK,P_2.png,False\n"
    )
    (tmp_path / "isic2020.csv").write_text(
        "image_id,patient_id,sex,age_approx,anatom_site_general_challenge,diagnosis,benign_malignant,target\n"
        "P_0,A,male,60.0,torso,melanoma,malignant,1\nP_1,B,female,,,unknown,benign,0\nP_2,B,,,,nevus,benign,0\n"
    )
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def _evaluated(folder, labels, *options):
    done = run(
        "evaluate", "--images", folder / "images", "--labels", folder / labels, "--out", folder / "out", *options
    )
    assert done.exit_code == 0, done.stderr
    return json.loads((folder / "out" / "metrics.json").read_text())


def test_evaluate_reads_isic_2020_by_person_and_knows_its_melanomas(folder):
    metrics = _evaluated(folder, "isic2020.csv")

    assert metrics["data"]["n_patients"] == 2
    assert metrics["intervals"]["resampled"] == "patient"
    assert metrics["malignant"]["prevalence"] == pytest.approx(1 / 3, abs=1e-6)
    assert metrics["summary"]["melanoma_auc"]["value"] is not None
    assert metrics["confusion"] is None


def test_evaluate_reads_pad_ufes_20_as_clinical_photos(folder):
    metrics = _evaluated(folder, "pad.csv", "--image-type", "clinical")

    groups = {(row["kind"], row["name"]): row["n"] for row in metrics["groups"]["rows"]}
    assert metrics["data"]["n_by_class"]["bkl"] == 1
    assert groups["image_type", "clinical"] == 3
    assert groups["confirmed_by", "histopathology"] == 1
    assert groups["skin_type", "2"] == 1


def test_stress_prints_a_line_a_damage_and_writes_its_files(folder):
    done = run(
        *("stress", "--images", folder / "images", "--labels", folder / "ham.csv", "--split", "test"),
        *("--out", folder / "out", "--limit", "1", "--seed", "4"),
    )

    assert done.exit_code == 0
    for damage in STRESSES:
        assert f"\n  {damage.words}: " in done.stdout
    assert "Accuracy kept: mean " in done.stdout
    assert "too few for numbers (at least 5)." in done.stdout
    stress = json.loads((folder / "out" / "stress.json").read_text())
    assert (stress["data"]["split"], stress["data"]["seed"], stress["data"]["n"]) == ("test", 4, 2)


def test_stress_of_an_unknown_split_says_which_there_are(folder):
    done = run(
        *("stress", "--images", folder / "images", "--labels", folder / "ham.csv", "--split", "dev"),
        *("--out", folder / "out"),
    )

    assert done.exit_code == 1
    assert "Expected rows of the split 'dev' in 'ham.csv'. It has: test, train." in done.stderr


def test_errors_and_samples_go_on_from_what_evaluate_wrote(folder):
    _evaluated(folder, "ham.csv")
    predictions = folder / "out" / "predictions.csv"

    errors = run("errors", predictions, predictions, "--out", folder / "errors")
    samples = run(
        "samples", predictions, "--images", folder / "images", "--which", "mistakes", "--out", folder / "m.png"
    )

    assert errors.exit_code == 0
    assert "3 photos answered by 2 models." in errors.stdout
    assert json.loads((folder / "errors" / "errors.json").read_text())["n"] == 3
    assert sorted(p.name for p in (folder / "errors").glob("*.png")) == ["confusion-1.png", "confusion-2.png"]
    assert samples.exit_code == 0
    assert "They keep their licence" in samples.stdout
    assert (folder / "m.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("option", "value"), [("--which", "nonsense"), ("--out", "sheet.jpg")], ids=["kind", "ending"])
def test_samples_refuses_what_it_cannot_draw(folder, option, value):
    options = {"--which": "sample", "--out": folder / "m.png"} | {option: value}

    done = run(
        "samples", folder / "x.csv", "--images", folder / "images", *[o for pair in options.items() for o in pair]
    )

    assert done.exit_code == 2
    assert f"Received '{value}'" in " ".join(done.stderr.replace("│", " ").split())


def test_comparison_is_printed_or_written(tmp_path):
    printed, written = run("comparison"), run("comparison", "--out", tmp_path / "page.md")

    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert printed.stdout.startswith("# Comparison: ")
    assert (tmp_path / "page.md").read_text() == printed.stdout


@pytest.fixture
def weights(tmp_path):
    """A weights folder whose model was measured on folds and under stress."""
    save_manifest(MANIFEST, tmp_path / "fake.json")
    folds = {str(k): random_results(k, 30, prefix=f"f{k}_") for k in range(2)}
    write_fold_evaluation(
        folds, MANIFEST, out=tmp_path / "fake.evaluation" / "cross-validation", engine="fake", use_metadata=True
    )
    stress = build_stress(
        [_stressed(0, "mel", MEL), _stressed(1, "nv", NV)], MANIFEST, engine="fake", seed=0, n_resamples=20
    )
    (tmp_path / "fake.evaluation" / "stress").mkdir()
    (tmp_path / "fake.evaluation" / "stress" / "stress.json").write_text(json.dumps(stress))
    return tmp_path


def test_shipped_folds_and_stress_are_read_for_the_page(weights):
    comparison = load_comparison(weights_dir=weights)

    assert [(one["model"], one["which"]) for one in comparison["ours"]] == [("fake", "cross-validation")]
    assert load_stress("fake", weights_dir=weights)["data"]["n"] == 2
    assert load_stress("other", weights_dir=weights) is None


def test_folds_are_read_though_other_weights_answered(weights):
    path = weights / "fake.evaluation" / "cross-validation" / "metrics.json"
    path.write_text(path.read_text().replace("0" * 64, "f" * 64))

    assert load_evaluation("fake", "cross-validation", weights_dir=weights)["folds"]["rows"][1]["fold"] == "1"


def test_agreement_of_the_shipped_models_is_read_for_the_page(weights):
    agreement = load_agreement("cross-validation", weights_dir=weights)

    assert [one["name"] for one in agreement["models"]] == ["fake"]
    assert agreement["n"] == 60
    assert load_agreement("test", weights_dir=weights) is None


def test_shipped_evaluation_is_named_by_its_model(weights):
    assert (
        read_predictions(weights / "fake.evaluation" / "cross-validation" / "predictions.csv").name
        == "fake cross-validation"
    )


def test_stress_of_other_weights_is_refused(weights):
    path = weights / "fake.evaluation" / "stress" / "stress.json"
    path.write_text(path.read_text().replace("0" * 64, "f" * 64))

    with pytest.raises(WeightsError, match=r"^Expected the evaluation 'stress' of 'fake' to be of its weights"):
        load_stress("fake", weights_dir=weights)
