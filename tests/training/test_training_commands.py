"""The commands that make models, as a script would call them; what they call is held in its own tests."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.model.manifest import save_manifest
from dermascan_core.training import ablation, cross_validate, fold_answers, launch, rebuild
from dermascan_core.training import data as training_data
from dermascan_core.training.fit import RunResult
from dermascan_core.training.releases import RELEASES
from tests.fakes import fake_manifest
from tests.training.conftest import dataset_rows, write_dataset

SUMMARY = {"summary": {"macro_auc": {"value": 0.9, "low": 0.8, "high": 0.95}}}


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


class Fold:
    def __init__(self, fold):
        self.fold = fold


@pytest.fixture
def calls(monkeypatch):
    """What was called, with the data set and the networks left out."""
    seen = []
    monkeypatch.setattr(training_data, "load_dataset", lambda folders: "dataset")

    def run_folds(preset, *, out, folds, **_):
        seen.append(("train", preset.epochs, out, folds))
        runs = [out / f"fold-{fold}" for fold in folds]
        for folder in runs:
            folder.mkdir()
            (folder / fold_answers.FOLD_FILE).touch()
        return runs

    monkeypatch.setattr(cross_validate, "run_folds", run_folds)
    monkeypatch.setattr(fold_answers, "read_folds", lambda folder: [Fold(0), Fold(2)])
    monkeypatch.setattr(
        fold_answers, "join_recipes", lambda recipes: seen.append(("join", len(recipes))) or [Fold(0), Fold(2)]
    )
    monkeypatch.setattr(
        cross_validate, "write_pooled", lambda folds, *_, **o: seen.append(("pool", o["name"], o["out"])) or SUMMARY
    )
    return seen


def test_cross_validate_trains_the_folds_asked_for_and_measures_them_as_one(calls, tmp_path):
    result = run(
        "cross-validate", "smoke", "--data", "d", "--out", tmp_path, "--fold", 0, "--fold", 2, "--set", "epochs=7"
    )

    assert result.exit_code == 0
    assert calls == [("train", 7, tmp_path, [0, 2]), ("pool", "smoke", tmp_path)]
    assert "Folds 0, 2, each by networks that did not see it:" in result.output
    assert "0.9000 (0.8000 to 0.9500)" in result.output


def test_cross_validate_of_one_fold_trains_it_and_says_what_is_missing(calls, tmp_path):
    result = run("cross-validate", "smoke", "--data", "d", "--out", tmp_path, "--fold", 3)

    assert result.exit_code == 0
    assert [what for what, *_ in calls] == ["train"]
    assert "Trained fold-3. Two folds are needed to measure them as one." in result.output


def test_join_folds_measures_an_ensemble_without_training(calls, tmp_path):
    result = run("join-folds", "a", "b", "--data", "d", "--out", tmp_path, "--name", "both")

    assert result.exit_code == 0
    assert calls == [("join", 2), ("pool", "both", tmp_path)]


def test_rebuild_passes_on_which_file_starts_which_backbone(monkeypatch, tmp_path):
    asked = {}

    def make(name, recipe, **options):
        asked.update(options, name=name, recipe=recipe)
        return fake_manifest(metrics={"test": SUMMARY})

    monkeypatch.setattr(rebuild, "rebuild", make)

    result = run(
        "rebuild",
        "dermascan",
        "--data",
        "d",
        "--runs",
        tmp_path,
        "--pretrained",
        "mobilenet_v2=a=b.h5",
        "--card",
        "c.md",
    )

    assert result.exit_code == 0
    assert (asked["name"], asked["recipe"]) == ("dermascan", RELEASES["dermascan"])
    assert asked["pretrained"] == {"mobilenet_v2": "a=b.h5"}
    assert (asked["folds"], asked["card"]) == (None, Path("c.md"))
    assert "On test:" in result.output


def test_rebuild_releases_one_fold_where_asked_and_refuses_several(monkeypatch, tmp_path):
    asked = {}

    def make(name, recipe, **options):
        asked.update(options)
        return fake_manifest(metrics={"test": SUMMARY})

    monkeypatch.setattr(rebuild, "rebuild", make)
    command = ("rebuild", "dermascan", "--data", "d", "--runs", tmp_path, "--release", "--fold", "0")

    several = run(*command, "--fold", "1")
    assert several.exit_code == 2
    assert "Expected one --fold. Received 2." in several.output
    assert asked == {}
    assert run(*command).exit_code == 0
    assert (asked["folds"], asked["is_of_one_fold"]) == ([0], True)


def test_rebuild_of_some_folds_says_that_the_release_is_still_to_come(monkeypatch, tmp_path):
    monkeypatch.setattr(rebuild, "rebuild", lambda name, recipe, **o: None)

    kept = tmp_path / "runs" / "student" / "fold-1" / "validation.npz"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"answers")

    result = run(
        "rebuild",
        "dermascan",
        "--data",
        "d",
        "--runs",
        tmp_path / "runs",
        "--fold",
        1,
        "--fold",
        3,
        "--answers",
        tmp_path / "a",
    )

    assert result.exit_code == 0
    assert (tmp_path / "a" / "student" / "fold-1" / "validation.npz").read_bytes() == b"answers"
    assert "Folds 1, 3 are trained. Without --fold the release is made." in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "Expected one of dermascan-large"),
        (["dermascan", "--pretrained", "file"], "Expected BACKBONE=FILE"),
    ],
)
def test_rebuild_says_what_it_takes(arguments, message, tmp_path):
    result = run("rebuild", *arguments, "--data", "d", "--runs", tmp_path)

    assert result.exit_code == 2
    assert message in result.output


def test_ablate_says_which_rows_it_left_out(monkeypatch, tmp_path):
    outcome = ablation.AblationOutcome((), {}, {"mask": "No photo has one."})
    monkeypatch.setattr(ablation, "run_ablation", lambda **options: outcome)

    result = run("ablate", "--data", "d", "--out", tmp_path)

    assert result.exit_code == 0
    assert "Left out mask: No photo has one." in result.output


def test_release_says_which_version_it_is(monkeypatch, tmp_path):
    asked = {}

    def make_release(runs, **options):
        asked.update(options, runs=runs)
        return fake_manifest(name=options["name"], version=options["version"])

    monkeypatch.setattr("dermascan_core.training.release.make_release", make_release)

    done = run("release", "a", "--name", "own", "--data", "ham", "--version", "2", "--no-evaluation")

    assert done.exit_code == 0, done.output
    assert (asked["version"], asked["runs"]) == ("2", [Path("a")])


def test_publish_measures_a_release_that_is_there(monkeypatch, tmp_path):
    asked = {}

    def publish_release(name, **options):
        asked.update(options, name=name)
        return fake_manifest(
            name=name, metrics={"test": {"summary": {"macro_auc": {"value": 0.9, "low": 0.8, "high": 1.0}}}}
        )

    monkeypatch.setattr("dermascan_core.training.publish.publish_release", publish_release)
    save_manifest(fake_manifest(name="own"), tmp_path / "own.json")

    done = CliRunner().invoke(cli.app, ["publish", "own", "--data", "ham", "--weights-dir", str(tmp_path)])

    assert done.exit_code == 0, done.output
    assert "On test:\n  macro AUC: 0.9000 (0.8000 to 1.0000)" in done.output
    assert (asked["name"], asked["data"], asked["weights_dir"]) == ("own", [Path("ham")], tmp_path)


def test_publish_of_a_model_that_is_not_there_names_those_that_are(tmp_path):
    save_manifest(fake_manifest(name="own"), tmp_path / "own.json")

    done = CliRunner().invoke(cli.app, ["publish", "other", "--data", "ham", "--weights-dir", str(tmp_path)])

    assert done.exit_code == 1
    assert "own. Received 'other'." in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--processes", 2, "--process", 0], "Expected --process and --coordinator together."),
        (["--processes", 2, "--coordinator", "a:6000"], "Expected --process and --coordinator together."),
        (["--process", 0, "--coordinator", "a:6000"], "Expected --processes of at least 2. Received 1."),
        (["--processes", 2, "--process", 2, "--coordinator", "a:6000"], "Expected --process below 2"),
        (
            ["--processes", 2, "--process", 1, "--coordinator", "a"],
            "Expected --coordinator as HOST:PORT. Received 'a'.",
        ),
        (["--processes", 2, "--process", 1, "--coordinator", "a:0"], "as HOST:PORT. Received 'a:0'."),
        (["--processes", 2, "--deterministic"], "Expected --deterministic or --processes."),
        (["--processes", 0], "Invalid value for '--processes'"),
    ],
)
def test_train_says_how_processes_are_named(options, message, tmp_path):
    result = run("train", "smoke", "--data", "d", "--out", tmp_path, *options)

    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.fixture
def started(monkeypatch):
    """Which places were started, instead of starting them."""
    seen = []

    def run_together(work, places):
        seen.extend(places)
        assert work.keywords["base"] == "smoke"
        return RunResult(Path("runs/first"), 2, {"val_loss": 0.5})

    monkeypatch.setattr(launch, "require_jax", lambda: None)
    monkeypatch.setattr(launch, "run_together", run_together)
    return seen


def test_train_in_several_processes_starts_them_all_here(started, tmp_path):
    result = run("train", "smoke", "--data", "d", "--out", tmp_path, "--processes", 3)

    assert [(place.rank, place.size, place.is_local) for place in started] == [(0, 3, True), (1, 3, True), (2, 3, True)]
    assert "Best epoch 2: val_loss 0.5000. Written to runs/first." in result.output


def test_train_starts_one_process_where_the_others_run_elsewhere(started, tmp_path):
    options = ("--processes", 3, "--process", 1, "--coordinator", "[fd00::1]:6000")
    result = run("train", "smoke", "--data", "d", "--out", tmp_path, *options)

    assert started == [launch.Place(1, 3, "[fd00::1]:6000")]
    assert "Trained. Process 0 writes what came of it" in result.output


def test_train_in_several_processes_says_when_jax_is_not_installed(monkeypatch, tmp_path):
    monkeypatch.setattr(launch, "find_spec", lambda name: None)

    result = run("train", "smoke", "--data", "d", "--out", tmp_path, "--processes", 2)

    assert result.exit_code == 1
    assert result.output.startswith("Error: Expected JAX, which connects processes that train together.")


@pytest.mark.parametrize(
    "command",
    [
        ("train", "smoke", "--out", "out"),
        ("cross-validate", "smoke", "--out", "out"),
        ("lr-find", "smoke", "--out", "out"),
        ("release", "RUN", "--name", "own", "--weights-dir", "out"),
        ("rebuild", "dermascan", "--runs", "out", "--weights-dir", "out"),
    ],
    ids=lambda command: command[0],
)
def test_whatever_learns_refuses_data_that_leak_and_names_the_lesions(command, finished_run, tmp_path, monkeypatch):
    rows = [row | {"patient_id": ""} for row in dataset_rows()]
    rows[0] |= {"patient_id": "P1", "fold": 1 - rows[0]["fold"]}  # its lesion's other photo names no person
    rows[4] |= {"split": "test", "fold": ""}
    data = write_dataset(tmp_path / "data", rows=rows)
    monkeypatch.chdir(tmp_path)

    result = run(*(finished_run if word == "RUN" else word for word in command), "--data", data)

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: Expected every lesion (or patient) in one split and one fold only. 2 lie in several: P1 nv_0, nv_3. "
        "Results on such a split would be too good; correct 'split' and 'fold'.\n"
    )
    assert not Path("out").exists()


@pytest.mark.usefixtures("tiny_backbone")
def test_lr_find_writes_its_plot_and_says_which_rate_to_train_with(generated_dataset, tmp_path):
    options = ("--batches", 12, "--set", "input_px=32", "--fold", 1)

    result = run("lr-find", "smoke", "--data", generated_dataset, "--out", tmp_path, *options)

    assert result.exit_code == 0, result.output
    rate = re.search(r"The loss falls fastest at a learning rate of (\S+)\.\n", result.stdout)[1]
    assert f"Train with it: --set learning_rate={rate}\n" in result.stdout
    assert {path.name for path in tmp_path.glob("lr-find.*")} == {"lr-find.csv", "lr-find.png"}


def test_ablate_passes_its_rows_on_and_names_those_that_failed(monkeypatch, tmp_path):
    asked = {}

    def run_rows(**options):
        asked.update(options)
        return ablation.AblationOutcome((), {"focal": "It diverged."} if "focal" in options["rows"] else {}, {})

    monkeypatch.setattr(ablation, "run_ablation", run_rows)
    arguments = ("ablate", "--data", "d", "--out", tmp_path, "--fold", 2, "--pretrained", "net.h5", "--no-resume")

    done = run(*arguments, "--rows", "base,mixup")
    failed = run(*arguments, "--rows", "base,focal")

    assert (done.exit_code, done.stdout) == (0, f"0 rows measured: {tmp_path / 'ablation.md'}.\n")
    assert (asked["data"], asked["rows"], asked["fold"]) == ([Path("d")], ["base", "focal"], 2)
    assert (asked["pretrained"], asked["resume"]) == ("net.h5", False)
    assert failed.exit_code == 1
    assert "Error: 1 row failed. focal: It diverged." in failed.stderr


def test_experiments_prints_the_table_or_writes_table_page_and_plots(finished_run, tmp_path):
    printed = run("experiments", finished_run)
    written = run(
        *("experiments", finished_run, "--out", tmp_path / "t.csv", "--markdown", tmp_path / "t.md"),
        *("--plots", tmp_path / "plots"),
    )

    assert (printed.exit_code, written.exit_code) == (0, 0)
    assert printed.stdout == (tmp_path / "t.csv").read_text()
    assert printed.stderr == "1 run; they differ in: nothing.\n"
    assert (tmp_path / "t.md").read_text().startswith("# Recipes compared\n")
    assert f"Drawn in {tmp_path / 'plots'}: scores.png, epochs.png.\n" in written.stderr
    assert (written.stdout, len(list((tmp_path / "plots").glob("*.png")))) == ("", 2)


def test_experiments_says_where_no_record_is(tmp_path):
    result = run("experiments", tmp_path)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Expected a finished run's result.json, or a folder of such records, at ")
