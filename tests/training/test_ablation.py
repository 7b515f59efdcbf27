import json

import pytest

from dermascan_core.errors import DatasetError, TrainingError
from dermascan_core.evaluation.experiments import make_record
from dermascan_core.training.ablation import BASE, ROWS, run_ablation
from dermascan_core.training.fit import changed_fields
from dermascan_core.training.presets import PRESETS, override
from tests.contract.tree import ROOT

SHIPPED = sorted((ROOT / "weights" / "experiments").glob("ablation-*.json"))


def _finish(run, score=0.5):
    """Leave behind what a finished row leaves."""
    run.out.mkdir(parents=True, exist_ok=True)
    recipe = override(PRESETS[BASE], list(run.settings))
    record = {
        "base": BASE, "changed": changed_fields(recipe, BASE), "preset": recipe.to_dict(), "data": ["ham"],
        "split_sha256": "0", "fold": run.fold, "n_train": 8, "n_validation": 2,
        "app_version": "1", "keras_version": "3", "backend": "none",
    }  # fmt: skip
    state = {"epoch": 8, "best_epoch": 7, "best": {"val_score": score}, "elapsed_s": 60.0}
    made = make_record(record, state, [], name=run.out.name, is_finished=True)
    made["measures"]["8"] = {"score": score + 0.01}
    (run.out / "run.json").write_text(json.dumps(record))
    (run.out / "result.json").write_text(json.dumps(made))


@pytest.mark.parametrize("name", ROWS)
def test_row_changes_the_base_recipe_under_the_same_budget(name):
    recipe = override(PRESETS[BASE], list(ROWS[name].settings))

    assert bool(changed_fields(recipe, BASE)) == (name not in ("base", "base-again"))
    # Those whose epochs are longer or shorter take as many steps.
    expected = {"class-floor": 3, "lesions-50": 16, "lesions-25": 32}.get(name, 8)
    assert recipe.warmup_epochs + recipe.epochs == expected
    assert ROWS[name].asks


def test_there_are_enough_rows_for_every_option():
    asked = {s.partition("=")[0] for row in ROWS.values() for s in row.settings}

    assert len(ROWS) >= 18
    assert asked >= {
        "fusion", "balance", "class_floor", "class_weight", "loss", "label_smoothing", "smote", "augment", "mixup",
        "cutmix", "steps", "optimizer", "adaptive_clip", "schedule", "unfreeze_stages", "open_share", "train_batch_norm", "ema_decay",
        "accumulate_steps", "curriculum_epochs", "mask_weight", "precision", "input_px", "lesion_share",
        "rotation_degrees", "zoom_range", "brightness", "contrast", "saturation", "hue_degrees", "noise_probability",
        "cutout_probability", "downsample_probability", "jpeg_probability", "teacher", "pipeline",
    }  # fmt: skip


def test_row_that_fails_stops_no_other_and_is_run_again_next_time(tmp_path):
    ran = []

    def run_row(run):
        ran.append(run.row.name)
        if run.row.name == "focal" and len(ran) < 4:
            raise TrainingError("It diverged.")
        _finish(run)

    options = {"data": [tmp_path], "out": tmp_path / "out", "rows": ["base", "focal", "adam"], "run_row": run_row}
    first = run_ablation(**options)
    second = run_ablation(**options)

    assert ran == ["base", "focal", "adam", "focal"]
    assert first.failed == {"focal": "It diverged."}
    assert {one.name for one in first.experiments} == {"base", "adam"}
    assert second.failed == {}
    assert {one.name for one in second.experiments} == {"base", "focal", "adam"}
    assert "| focal | `loss=focal` |" in (tmp_path / "out" / "ablation.md").read_text()
    assert len((tmp_path / "out" / "ablation.csv").read_text().splitlines()) == 4


def test_starting_weights_go_to_every_row_but_the_one_without(tmp_path):
    told = {}

    def run_row(run):
        told[run.row.name] = override(PRESETS[BASE], list(run.settings)).pretrained
        _finish(run)

    run_ablation(
        data=[tmp_path], out=tmp_path / "out", rows=["base", "no-imagenet"], pretrained="net.h5", run_row=run_row
    )

    assert told == {"base": "net.h5", "no-imagenet": "none"}


def test_finished_row_of_another_fold_is_refused(tmp_path):
    options = {"data": [tmp_path], "out": tmp_path / "out", "rows": ["base"], "run_row": _finish}
    run_ablation(**options)

    with pytest.raises(DatasetError, match=r"The row in '.*base' was run with fold 0\. Choose another folder"):
        run_ablation(**options, fold=1)


def test_finished_row_of_before_a_field_was_there_counts(tmp_path):
    options = {"data": [tmp_path], "out": tmp_path / "out", "rows": ["base"], "run_row": _finish}
    run_ablation(**options)
    path = tmp_path / "out" / "base" / "result.json"
    record = json.loads(path.read_text())
    del record["recipe"]["open_share"]
    path.write_text(json.dumps(record))

    outcome = run_ablation(**options | {"run_row": None})

    assert [one.name for one in outcome.experiments] == ["base"]


def test_rows_that_are_there_are_refused_without_resume(tmp_path):
    options = {"data": [tmp_path], "out": tmp_path / "out", "rows": ["base"], "run_row": _finish}
    run_ablation(**options)

    with pytest.raises(DatasetError, match=r"already holds a run\. Leave --no-resume out"):
        run_ablation(**options, resume=False)


def test_all_rows_leave_out_what_the_data_cannot_run_and_say_so(tmp_path):
    outcome = run_ablation(data=[tmp_path], out=tmp_path / "out", run_row=_finish)

    assert outcome.failed == {}
    assert outcome.skipped == {
        "mask": "It needs the lesions' masks as masks/IMAGE_ID.png beside images/; no photo that trains has one."
    }
    assert {one.name for one in outcome.experiments} == set(ROWS) - {"mask"}


def test_mask_row_runs_where_a_photo_has_its_mask(tmp_path):
    for name in ("images/a.jpg", "masks/a_segmentation.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    (tmp_path / "metadata.csv").write_text("image_id,dx,split,fold\na,nv,train,0\n")

    outcome = run_ablation(data=[tmp_path], out=tmp_path / "out", run_row=_finish)

    assert outcome.skipped == {}
    assert len(outcome.experiments) == len(ROWS)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("mask", "It needs the lesions' masks as masks/IMAGE_ID.png beside images/; no photo that trains has one."),
        ("distillation", "It needs the finished row base, which teaches it."),
        ("tf-data", "It needs TensorFlow as Keras' backend; KERAS_BACKEND is jax."),
    ],
)
def test_row_that_was_asked_for_and_cannot_run_is_a_failure(tmp_path, monkeypatch, row, reason):
    monkeypatch.setenv("KERAS_BACKEND", "jax")

    outcome = run_ablation(data=[tmp_path], out=tmp_path / "out", rows=[row], run_row=_finish)

    assert outcome.failed == {row: reason}
    assert outcome.skipped == {}


def test_distillation_learns_from_the_base_row_and_counts_as_finished(tmp_path):
    told = []

    def run_row(run):
        told.append((run.row.name, override(PRESETS[BASE], list(run.settings)).teacher))
        _finish(run)

    options = {"data": [tmp_path], "out": tmp_path / "out", "rows": ["base", "distillation"], "run_row": run_row}
    run_ablation(**options)
    outcome = run_ablation(**options)

    assert told == [("base", ""), ("distillation", str(tmp_path / "out" / "base"))]
    assert {one.name: one.change for one in outcome.experiments} == {"base": "-", "distillation": "teacher=base"}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_record_is_of_a_row_that_is_defined_so(path):
    shipped = json.loads(path.read_text(encoding="utf-8"))
    recipe = override(PRESETS[BASE], list(ROWS[shipped["name"]].settings))

    expected = changed_fields(recipe, BASE)
    assert {k: v for k, v in shipped["changed"].items() if k != "pretrained" or v == "none"} == expected


def test_unknown_row_names_those_that_exist(tmp_path):
    with pytest.raises(DatasetError, match=r"Expected rows among base, no-metadata, .* Received luck\."):
        run_ablation(data=[tmp_path], out=tmp_path / "out", rows=["luck"])
    assert not (tmp_path / "out").exists()


def test_row_in_its_own_process_says_why_it_failed(tmp_path):
    outcome = run_ablation(data=[tmp_path / "absent"], out=tmp_path / "out", rows=["base"])

    assert outcome.experiments == ()
    assert outcome.failed["base"].startswith("It ended with exit code 1: Expected metadata.csv and images/ in ")
    assert (tmp_path / "out" / "base.log").is_file()
