"""The command line as a script would use it: exit codes, what goes where, and the contract's words."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from dermascan_core import cli
from dermascan_core.cli import common
from dermascan_core.model.manifest import save_manifest
from dermascan_core.services import models
from tests.fakes import FakePredictor, fake_manifest, fake_photo, photo_bytes

ROOT = Path(__file__).resolve().parents[1]
PHOTO = photo_bytes(fake_photo(width=300, height=225))


@pytest.fixture(autouse=True)
def _fake_model(monkeypatch):
    monkeypatch.setattr(models, "load_predictor", lambda name, engine, **_: FakePredictor())


@pytest.fixture
def folder(tmp_path):
    """Two photos, one broken, one file that is no photo, one hidden."""
    for name, data in {
        "b.jpg": PHOTO,
        "a.jpg": PHOTO,
        "c.png": b"broken",
        "notes.txt": b"x",
        ".hid.jpg": PHOTO,
    }.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def _rows(text):
    return list(csv.DictReader(text.splitlines()))


def test_screen_prints_one_line_a_photo_in_input_order_and_exits_with_0_when_photos_are_refused(folder):
    result = run("screen", folder)

    assert result.exit_code == 0
    assert [(Path(row["image"]).name, row["status"]) for row in _rows(result.stdout)] == [
        ("a.jpg", "answered"),
        ("b.jpg", "answered"),
        ("c.png", "refused"),
    ]
    said, n_rates = re.subn(r" \d+\.\d photos a second\.", "", result.stderr)
    assert n_rates == 1
    assert said == (
        "The photos are taken as dermoscopic ones. For photos of a phone or camera add: --image-type clinical\n"
        "3 photos: 2 answered, 1 refused. 1 other file left out.\n"
        "Not a medical device. Not a diagnosis. A low result does not rule out skin cancer.\n"
    )


def test_screen_writes_the_same_lines_to_a_file_and_nothing_to_the_screen(folder, tmp_path):
    result = run("screen", folder, "--out", folder / "out.csv")

    rows = _rows((folder / "out.csv").read_text())
    assert (result.exit_code, result.stdout) == (0, "")
    assert [row["status"] for row in rows] == ["answered", "answered", "refused"]
    assert rows[2]["reason"].startswith("unreadable: ")


def test_screen_writes_json_lines(folder):
    run("screen", folder / "a.jpg", "--out", folder / "out.jsonl")

    (line,) = (folder / "out.jsonl").read_text().splitlines()
    assert json.loads(line)["predicted"] in ("mel", "nv")


def test_screen_tells_the_model_the_metadata_and_names_rows_it_could_not_use(folder):
    (folder / "people.csv").write_text("image,age\na.jpg,85\nb.jpg,300\nz.jpg,40\n")

    told = run("screen", folder / "a.jpg", folder / "b.jpg", "--metadata", folder / "people.csv")

    a, b = (float(row["p_mel"]) for row in _rows(told.stdout))
    assert a == pytest.approx(b + 0.1, abs=1e-5)
    assert "The metadata table, line 3: Expected age in years between 0 and 120" in told.stderr
    assert "1 metadata row matched no photo." in told.stderr


def test_screen_says_what_it_takes_the_photos_for_unless_it_was_told(folder):
    untold, told = run("screen", folder / "a.jpg"), run("screen", folder / "a.jpg", "--image-type", "clinical")

    sentence = "The photos are taken as dermoscopic ones. For photos of a phone or camera add: --image-type clinical"
    assert sentence in untold.stderr
    assert "dermoscopic" not in told.stderr
    assert [row["image_type"] for row in _rows(untold.stdout) + _rows(told.stdout)] == ["dermoscopic", "clinical"]


def test_screen_prints_the_metadata_that_was_not_used(folder):
    (folder / "people.csv").write_text("image,age\na,300\n")

    (row,) = _rows(run("screen", folder / "a.jpg", "--metadata", folder / "people.csv").stdout)

    assert row["reason"].startswith(
        "metadata_not_used: Metadata used in part. The metadata table, line 2: Expected age"
    )


def test_screen_resumes_after_the_lines_it_has(folder):
    run("screen", folder, "--out", folder / "out.csv")
    before = (folder / "out.csv").read_text()
    kept = before.splitlines(keepends=True)
    (folder / "out.csv").write_text("".join(kept[:2]) + kept[2][:20])

    result = run("screen", folder, "--out", folder / "out.csv", "--resume")

    assert result.exit_code == 0
    assert "(1 of them earlier)" in result.stderr
    assert [r["image"] for r in _rows((folder / "out.csv").read_text())] == [r["image"] for r in _rows(before)]


def test_screen_of_a_missing_path_says_so_and_exits_with_1(tmp_path):
    result = run("screen", tmp_path / "nothing")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr == (
        f"Error: Expected a photo or a folder at '{tmp_path / 'nothing'}'. There is none. Check the path.\n"
    )


def test_screen_of_an_empty_folder_exits_with_1(tmp_path):
    result = run("screen", tmp_path)

    assert result.exit_code == 1
    assert result.stderr == f"Error: Expected photos in {tmp_path}. There are none. Check the path.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["screen"],
        ["nonsense"],
        ["screen", "x.jpg", "--image-type", "painting"],
        ["screen", "x.jpg", "--out", "x.xlsx"],
        ["screen", "x.jpg", "--resume"],
        ["evaluate", "--images", "x"],
        ["train", "no_such_preset", "--data", "d", "--out", "o"],
        ["train", "smoke", "--data", "d", "--out", "o", "--set", "epochs=many"],
        ["train", "smoke", "--data", "d", "--out", "o", "--set", "colour=red"],
        ["train", "smoke", "--data", "d", "--out", "o", "--set", "backbone=eyes"],
        ["release", "run", "--data", "d", "--name", "../escape"],
        ["examples", "fetch", "--count", "0"],
        ["compress", "m", "--data", "a", "--data", "b", "--out", "c"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_exit_with_2(arguments):
    assert run(*arguments).exit_code == 2


@pytest.fixture
def labels(folder):
    table = folder / "labels.csv"
    table.write_text("image_id,dx,split,lesion_id\na,mel,test,L1\nb,nv,test,L2\nc,nv,train,L3\n")
    return table


def test_evaluate_writes_its_files_and_prints_the_measures(folder, labels):
    result = run("evaluate", "--images", folder, "--labels", labels, "--split", "test", "--out", folder / "out")

    assert result.exit_code == 0
    assert (folder / "out" / "predictions.csv").read_text().count("\n") == 3
    assert json.loads((folder / "out" / "metrics.json").read_text())["data"]["split"] == "test"
    lines = result.stdout.splitlines()
    assert lines[0] == "2 photos predicted, 1 of them malignant; 0 missing, 0 unreadable."
    assert lines[1].startswith("  macro AUC: 0.5000 (")


def test_evaluate_counts_what_it_could_not_read_and_still_exits_with_0(folder, labels):
    result = run("evaluate", "--images", folder, "--labels", labels, "--out", folder / "out", "--no-metadata")

    assert result.exit_code == 0
    assert "2 photos predicted, 1 of them malignant; 0 missing, 1 unreadable." in result.stdout
    assert "Warning: 1 of 3 rows have no prediction; see data.not_predicted in metrics.json.\n" in result.stderr
    assert json.loads((folder / "out" / "metrics.json").read_text())["data"]["use_metadata"] is False


def test_evaluate_says_that_training_photos_are_among_them(folder):
    (folder / "ISIC_0024306.jpg").write_bytes(PHOTO)
    table = folder / "labels.csv"
    table.write_text("image_id,dx,lesion_id\nISIC_0024306,nv,HAM_0000550\na,mel,\n")

    result = run("evaluate", "--images", folder, "--labels", table, "--out", folder / "out")

    assert result.exit_code == 0
    assert (
        "Warning: The training split holds 1 of these photos and 1 of their lesions: such numbers are too good. "
        "See data.overlap in metrics.json.\n"
    ) in result.stderr


def test_evaluate_of_an_unknown_split_names_those_there_are(folder, labels):
    result = run("evaluate", "--images", folder, "--labels", labels, "--split", "Test", "--out", folder / "out")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: Expected rows of the split 'Test' in 'labels.csv'. It has: test, train. "
        "Correct --split, or leave it out.\n"
    )


def test_release_makes_the_weights_and_then_looks_at_the_test_split(tmp_path, monkeypatch):
    from dermascan_core.training import publish, release

    summary = {"malignant_auc": {"value": 0.95, "low": 0.93, "high": 0.97}}
    calls = []
    monkeypatch.setattr(release, "make_release", lambda run, **o: calls.append(("release", run, o["name"])) or _made())
    monkeypatch.setattr(
        publish,
        "publish_release",
        lambda name, **o: calls.append(("publish", name, o["card"])) or _made(metrics={"test": {"summary": summary}}),
    )
    folder = ["--weights-dir", tmp_path]

    run("release", "runs/x", "--name", "fake", "--data", "d", "--no-evaluation", *folder)
    result = run("release", "runs/x", "--name", "fake", "--data", "d", "--card", "card.md", *folder)

    released = ("release", [Path("runs/x")], "fake")
    assert calls == [released, released, ("publish", "fake", Path("card.md"))]
    assert result.stdout.splitlines() == [
        "fake: threshold 0.2000 (chosen for tests).",
        f"sha256 {'0' * 64}",
        "On test:",
        "  malignant AUC: 0.9500 (0.9300 to 0.9700)",
    ]


def _made(**changes):
    return fake_manifest(**changes)


def test_train_passes_the_recipe_on_and_prints_where_it_ended(monkeypatch):
    from dermascan_core.training import fit

    seen = {}

    def fake_train(preset, **options):
        seen.update(options, epochs=preset.epochs)
        return fit.RunResult(options["out"], 2, {"val_score": 0.91})

    monkeypatch.setattr(fit, "train", fake_train)

    result = run("train", "smoke", "--data", "d", "--out", "runs/x", "--fold", "3", "--resume", "--set", "epochs=4")

    assert (seen["data"], seen["out"], seen["fold"], seen["resume"], seen["epochs"]) == (
        *([Path("d")], Path("runs/x"), 3, True, 4),
    )
    assert result.stdout == "Best epoch 2: val_score 0.9100. Written to runs/x.\n"


def test_train_refuses_a_leaking_data_set_by_the_lesions_name(folder):
    (folder / "images").mkdir()
    (folder / "metadata.csv").write_text("image_id,dx,lesion_id,split,fold\na,mel,L1,train,0\nb,nv,L1,test,\n")

    result = run("train", "smoke", "--data", folder, "--out", folder / "run")

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: Expected every lesion (or patient) in one split and one fold only. 1 lie in several: L1. "
        "Results on such a split would be too good; correct 'split' and 'fold'.\n"
    )


def test_models_lists_name_size_and_sha256(tmp_path, monkeypatch):
    save_manifest(fake_manifest(), tmp_path / "fake.json")
    (tmp_path / "fake.keras").write_bytes(b"0" * 1_500_000)
    monkeypatch.setattr(models, "WEIGHTS_DIR", tmp_path)

    result = run("models")

    assert result.stdout.splitlines() == [
        "fake (version 0.0.1)",
        "  classes: mel, nv, bcc, ak, scc, pbk, df, vasc",
        "  network: mobilenet_v2, 160 px, 8 views averaged",
        "  metadata: age_approx, sex, anatom_site",
        "  size: 1.5 MB",
        f"  sha256: {'0' * 64}",
        "  licence: test",
        "  not evaluated",
    ]


def test_models_lists_the_recipes_with_what_they_reached(tmp_path, monkeypatch):
    recipe = {"backbone": "mobilenet_v2"}
    save_manifest(fake_manifest(training={"recipe": recipe}), tmp_path / "fake.json")
    evaluation = tmp_path / "fake.evaluation" / "test"
    evaluation.mkdir(parents=True)
    summary = {"macro_auc": {"value": 0.97}}
    (evaluation / "metrics.json").write_text(
        json.dumps({"schema": 1, "model": {"sha256": "0" * 64}, "summary": summary, "data": {"n_predicted": 977}})
    )
    monkeypatch.setattr(models, "WEIGHTS_DIR", tmp_path)

    lines = run("models", "--presets").stdout.splitlines()

    assert lines[0].startswith("mobilenet_v2: mobilenet_v2, ")
    assert lines[1] == "  as fake, test: macro AUC 0.970 (977 photos)"
    assert lines[-1] == "  no measured release"


def test_models_of_an_empty_folder_exits_with_1(tmp_path, monkeypatch):
    monkeypatch.setattr(models, "WEIGHTS_DIR", tmp_path)

    result = run("models")

    assert result.exit_code == 1
    assert result.stderr == (f"Error: Expected models in '{tmp_path}'. There are none. Restore the folder weights/.\n")


def _python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120, **options
    )


def test_help_is_quick_because_nothing_heavy_is_imported():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom dermascan_core.cli import app\n"
        "assert CliRunner().invoke(app, ['screen', '--help']).exit_code == 0\n"
        "print(sorted({'keras', 'tensorflow', 'numpy', 'cv2', 'pandas', 'PIL', 'streamlit'} & set(sys.modules)))"
    )

    assert _python("-c", code).stdout == "[]\n"


def test_program_runs_as_a_module_and_has_no_progress_bar_when_piped(folder):
    done = _python("-m", "dermascan_core", "screen", str(folder / "none.jpg"))

    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Expected a photo or a folder at '{folder / 'none.jpg'}'. There is none. Check the path.\n"
    )


def test_progress_bar_shows_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    with common.progress("Screening") as show:
        show(1, 2)
        show(2, 2)

    told = capsys.readouterr()
    assert told.out == ""
    assert "Screening" in told.err
    assert "2/2" in told.err


def test_unforeseen_failure_shows_an_id_and_no_traceback(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom dermascan_core import cli\n"
        "from dermascan_core.services import batch, failure_log\n"
        f"failure_log.record_failure.__kwdefaults__['log_file'] = Path({str(tmp_path / 'log.txt')!r})\n"
        "def broken(*args, **kwargs): raise RuntimeError('secret inside')\n"
        "batch.find_photo_files = broken\n"
        "sys.argv = ['dermascan_core', 'screen', 'x.jpg']\ncli.main()\n"
    )

    done = _python("-c", code)

    log = (tmp_path / "log.txt").read_text()
    log_id = log.split()[1]
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Something unexpected went wrong (RuntimeError). It has the id {log_id}, in '{tmp_path / 'log.txt'}'. "
        "Please report it with that part of the log.\n"
    )
    assert "RuntimeError: secret inside" in log
    assert " screen x.jpg\n" in log


@pytest.mark.parametrize(("speed", "shown"), [(None, ""), (0.25, "4.0 s each"), (31.26, "31.3/s")])
def test_bar_says_how_fast_it_moves(speed, shown):
    from dermascan_core.cli.rate_column import RateColumn

    task = SimpleNamespace(finished_speed=None, speed=speed)

    assert RateColumn().render(task).plain == shown


def test_option_that_counts_once_is_refused_twice_and_a_repeatable_one_is_not():
    twice = run("compress", "m", "--data", "a", "--data", "b", "--out", "c")

    assert "Expected --data once. Received it 2 times." in twice.stderr
    assert "once" not in run("cases", "build", "absent", "--data", "a", "--data", "b").stderr
    assert run("models", "--presets", "--presets").exit_code == 0
