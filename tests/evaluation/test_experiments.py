import io
import json

import numpy as np
import pytest
from PIL import Image

from dermascan_core.errors import DatasetError
from dermascan_core.evaluation.experiment_plots import draw_experiment_plots
from dermascan_core.evaluation.experiments import (
    chance_range,
    differing_fields,
    epoch_curves,
    experiment_rows,
    learning_curve,
    make_record,
    markdown_page,
    read_experiments,
    rows_as_csv,
    rows_as_markdown,
)
from dermascan_core.evaluation.plots import COLOURS

RUN = {
    "base": "small", "preset": {"loss": "cross_entropy", "pretrained": "/some/where/net.h5", "epochs": 2}, "changed": {},
    "data": ["ham"], "split_sha256": "00", "fold": 0, "n_train": 80, "n_validation": 20,
    "app_version": "1", "keras_version": "3", "backend": "tensorflow",
}  # fmt: skip
EPOCHS = [{"epoch": 1, "val_score": 0.5, "loss": 1.0}, {"epoch": 2, "val_score": 0.6, "loss": 0.5}]


def _write(folder, name, *, score, eight=None, n_train=80, **changed):
    run = RUN | {"n_train": n_train} | {"preset": RUN["preset"] | changed, "changed": changed}
    state = {"epoch": 2, "best_epoch": 2, "best": {"val_score": score, "val_macro_auc": 0.9}, "elapsed_s": 90.0}
    record = make_record(run, state, EPOCHS, name=name, is_finished=True)
    if eight is not None:
        record["measures"]["8"] = {"score": eight}
    (folder / name).mkdir(parents=True)
    (folder / name / "result.json").write_text(json.dumps(record))
    return record


def test_records_are_read_from_runs_and_from_folders_of_records(tmp_path):
    record = _write(tmp_path / "runs", "base", score=0.6)
    _write(tmp_path / "runs", "focal", score=0.7, loss="focal")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "old.json").write_text(json.dumps(record | {"name": "old"}))

    found = read_experiments([tmp_path / "runs", tmp_path / "shipped"])

    assert [one.name for one in found] == ["base", "focal", "old"]
    assert read_experiments(tmp_path / "runs" / "focal")[0].change == "loss=focal"
    assert found[0].measure("macro_auc") == 0.9
    assert found[0].measure("macro_auc", n_views=8) is None


def test_record_names_no_place_of_a_machine(tmp_path):
    record = _write(tmp_path, "base", score=0.6)

    assert "/some/where" not in json.dumps(record)
    assert record["recipe"]["pretrained"] == "net.h5"


def test_rows_are_sorted_and_differ_from_the_run_without_a_change(tmp_path):
    _write(tmp_path, "base", score=0.6)
    _write(tmp_path, "focal", score=0.7, loss="focal")
    _write(tmp_path, "short", score=0.4, epochs=1)

    found = read_experiments(tmp_path)
    rows = experiment_rows(found)

    assert [row["name"] for row in rows] == ["focal", "base", "short"]
    assert [row["difference"] for row in rows] == pytest.approx([0.1, 0.0, -0.2])
    assert differing_fields(found) == ("loss", "epochs")
    assert rows_as_csv(rows).splitlines()[1].startswith("focal,loss=focal,0,2,2,yes,0.70000,0.90000,")
    assert "| focal | `loss=focal` | 0.900 | not taken |" in rows_as_markdown(rows)
    assert "fold 0 (20 photos)" in markdown_page(found)


def test_rows_are_told_from_the_mean_of_all_runs_without_a_change_and_the_page_says_what_chance_does(tmp_path):
    _write(tmp_path, "base", score=0.62)
    _write(tmp_path, "base-again", score=0.60)
    _write(tmp_path, "seed-21", score=0.635, seed=21)
    _write(tmp_path, "focal", score=0.7, loss="focal")
    found = read_experiments(tmp_path)

    assert [row["difference"] for row in experiment_rows(found)] == pytest.approx([0.09, 0.025, 0.01, -0.01])
    assert chance_range(found) == (3, 0.60, 0.635)
    page = markdown_page(found)
    assert (
        "The 3 runs that change nothing, or the seed alone, have scores between 0.600 and 0.635: smaller differences of it than 0.035"
        in page
    )
    assert "`base` and `base-again` are the recipe `small` without a change" in page
    alone = [one for one in found if one.name in ("base", "focal")]
    assert chance_range(alone) is None
    assert "nothing here says how much chance alone changes" in markdown_page(alone)


def test_eight_views_decide_where_every_run_has_them(tmp_path):
    _write(tmp_path, "base", score=0.6, eight=0.8)
    _write(tmp_path, "focal", score=0.7, eight=0.7, loss="focal")

    assert [row["name"] for row in experiment_rows(read_experiments(tmp_path))] == ["base", "focal"]


def test_curves_hold_the_runs_that_have_the_measure(tmp_path):
    _write(tmp_path, "base", score=0.6)

    found = read_experiments(tmp_path)

    assert epoch_curves(found, "val_score") == {"base": ([1, 2], [0.5, 0.6])}
    assert epoch_curves(found, "val_luck") == {}


def test_learning_curve_holds_the_shares_of_one_recipe_and_the_whole(tmp_path):
    _write(tmp_path, "base", score=0.6)
    _write(tmp_path, "half", score=0.55, n_train=40, lesion_share=0.5, epochs=4)
    _write(tmp_path, "quarter", score=0.5, n_train=20, lesion_share=0.25)
    _write(tmp_path, "half-focal", score=0.5, n_train=40, lesion_share=0.5, loss="focal")

    found = read_experiments(tmp_path)

    assert [one.name for one in learning_curve(found)] == ["quarter", "half", "base"]
    assert "| 20 | 0.900 | not taken | not taken |\n| 40 |" in markdown_page(found)
    without = [one for one in found if one.name in ("base", "half-focal")]
    assert learning_curve(without) == ()
    assert "learning curve" not in markdown_page(without)


def test_plots_show_scores_course_and_the_learning_curve_where_it_was_tried(tmp_path):
    _write(tmp_path, "base", score=0.6)
    _write(tmp_path, "focal", score=0.7, loss="focal")
    assert set(draw_experiment_plots(read_experiments(tmp_path))) == {"scores.png", "epochs.png"}

    for n_train, name in ((20, "quarter"), (40, "half")):
        _write(tmp_path, name, score=0.5, n_train=n_train, lesion_share=n_train / 80)
    for path in tmp_path.glob("*/result.json"):
        record = json.loads(path.read_text())
        record["measures"]["1"] |= {"malignant_auc": 0.8, "balanced_accuracy": 0.5 + record["n_train"] / 400}
        path.write_text(json.dumps(record))
    plots = draw_experiment_plots(read_experiments(tmp_path))

    assert set(plots) == {"scores.png", "epochs.png", "learning-curve.png"}
    sizes = {name: Image.open(io.BytesIO(data)).size for name, data in plots.items()}
    assert sizes["scores.png"][1] == 84 + 30 * 4 + 60  # a row a run
    assert sizes["epochs.png"] == sizes["learning-curve.png"]


def test_dot_of_the_best_run_lies_right_of_the_others_and_the_plain_one_is_orange(tmp_path):
    _write(tmp_path, "base", score=0.6)
    _write(tmp_path, "focal", score=0.7, loss="focal")

    picture = np.asarray(Image.open(io.BytesIO(draw_experiment_plots(read_experiments(tmp_path))["scores.png"])))

    focal, base = (np.argwhere((picture[84 + 30 * row : 114 + 30 * row] == colour).all(axis=2)) for row, colour in ((0, COLOURS[4]), (1, COLOURS[5])))  # fmt: skip
    assert focal[:, 1].mean() - base[:, 1].mean() == pytest.approx(560 - 32, abs=1)


def test_runs_without_a_score_draw_nothing(tmp_path):
    record = _write(tmp_path, "base", score=0.6)
    (tmp_path / "base" / "result.json").write_text(json.dumps(record | {"measures": {}, "epochs": []}))

    assert draw_experiment_plots(read_experiments(tmp_path)) == {}


def test_folder_without_records_is_said(tmp_path):
    with pytest.raises(DatasetError, match=r"Expected a finished run's result\.json, or a folder of such records, at"):
        read_experiments(tmp_path)


def test_record_that_is_none_is_named(tmp_path):
    (tmp_path / "other.json").write_text('{"name": "other"}')

    with pytest.raises(DatasetError, match=r"Expected the record of a training run in '.*other\.json'"):
        read_experiments(tmp_path)
