from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dermascan_core.domain import Metadata
from dermascan_core.services.models import load_predictor
from dermascan_core.training import rebuild as making
from dermascan_core.training.presets import PRESETS
from dermascan_core.training.releases import RELEASES, ReleaseRecipe


@pytest.fixture
def tiny_recipes(monkeypatch, smoke_preset):
    """Two recipes that train in seconds, one the other's teacher."""
    quick = replace(smoke_preset, warmup_epochs=0, average_epochs=0)
    monkeypatch.setitem(PRESETS, "big", quick)
    monkeypatch.setitem(PRESETS, "small", replace(quick, seed=1))
    return ReleaseRecipe(("small",), teachers={"small": ("big",)})


def test_shipped_recipes_name_presets_that_exist():
    for recipe in RELEASES.values():
        assert set(recipe.in_order()) <= set(PRESETS)


def test_a_teacher_that_is_also_a_member_learns_from_nobody_and_is_trained_once():
    recipe = ReleaseRecipe(("small", "big"), teachers={"small": ("big",)})

    own = making.with_teachers(PRESETS["smoke"], recipe, "big", 0, runs=Path("runs"))

    assert own == PRESETS["smoke"]
    assert recipe.in_order() == ("big", "small")


def test_a_teacher_of_a_teacher_is_trained_first():
    assert RELEASES["nasnet_mobile"].in_order() == ("inception_v3", "mobilenet_v2", "student", "nasnet_mobile")


def test_a_student_learns_from_its_teachers_of_the_same_fold(tmp_path):
    recipe = ReleaseRecipe(("small",), teachers={"small": ("big", "other")})

    student = making.with_teachers(PRESETS["smoke"], recipe, "small", 3, runs=tmp_path)
    teacher = making.with_teachers(PRESETS["smoke"], recipe, "big", 3, runs=tmp_path)

    assert student.teacher == f"{tmp_path / 'big' / 'fold-3'},{tmp_path / 'other' / 'fold-3'}"
    assert teacher == PRESETS["smoke"]


@pytest.mark.slow
def test_a_release_is_made_again_from_photos_by_one_call(tiny_recipes, generated_dataset, tmp_path):
    """Fold by fold first, as over several days; then the whole: nothing is trained twice."""
    options = {"data": generated_dataset, "runs": tmp_path / "runs", "weights_dir": tmp_path / "weights"}
    assert making.rebuild("tiny", tiny_recipes, folds=[0], **options) is None
    before = (tmp_path / "runs" / "small" / "fold-0" / "validation.npz").stat().st_mtime_ns
    elsewhere = {**options, "weights_dir": tmp_path / "of one fold"}
    of_one_fold = making.rebuild("tiny", tiny_recipes, folds=[0], is_of_one_fold=True, **elsewhere)
    assert of_one_fold.threshold_rule.endswith("on the validation fold")
    assert {"test", "test-no-metadata"} <= set(of_one_fold.metrics)
    assert not list((tmp_path / "of one fold").rglob("cross-validation*"))

    manifest = making.rebuild("tiny", tiny_recipes, card=tmp_path / "card.md", **options)

    assert (tmp_path / "runs" / "small" / "fold-0" / "validation.npz").stat().st_mtime_ns == before
    assert "of 2 folds" in manifest.threshold_rule or "2 folds, each" in manifest.threshold_rule
    assert {"test", "test-no-metadata"} <= set(manifest.metrics)
    for evaluation in ("cross-validation", "cross-validation-no-metadata"):
        assert (tmp_path / "weights" / "tiny.evaluation" / evaluation / "metrics.json").is_file()
    answer = load_predictor("tiny", weights_dir=tmp_path / "weights").predict(
        np.full((1, 64, 64, 3), 90, np.uint8), [Metadata()]
    )[0]
    assert answer.prediction.ham_probabilities.sum() == pytest.approx(1)
    assert "tiny" in (tmp_path / "card.md").read_text()
    kept = making.keep_answers(tmp_path / "runs", tmp_path / "kept")
    assert [path.relative_to(tmp_path / "kept").as_posix() for path in kept] == [
        f"{name}/fold-{fold}/validation.npz" for name in ("big", "small") for fold in (0, 1)
    ]
