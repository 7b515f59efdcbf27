"""Attacks by hand: the right direction, within the strength, and what is counted of them."""

import numpy as np
import pytest
from typer.testing import CliRunner

from dermascan_core.cli import app
from dermascan_core.domain import Metadata, NextStep, Status
from dermascan_core.evaluation.adversarial import (
    Attacked,
    adversarial_page,
    describe_adversarial,
    fgsm,
    pgd,
    summarise,
    towards_harm,
)
from dermascan_core.evaluation.results import PhotoResult
from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.tables import LabelledPhoto
from tests.fakes import CODES, FakePredictor, fake_manifest

SQUARE = np.full((8, 8, 3), 100, np.uint8)


def _slope(square):
    """A score that rises with red and falls with blue."""
    gradient = np.zeros_like(square)
    gradient[..., 0], gradient[..., 2] = 0.3, -5.0
    return gradient


def test_one_step_goes_the_whole_way_along_the_sign():
    moved = fgsm(SQUARE, _slope, strength=4)

    assert moved[0, 0].tolist() == [104, 100, 96]


def test_small_steps_end_within_the_strength_and_the_range():
    moved = pgd(np.full((8, 8, 3), 254, np.uint8), _slope, strength=2, n_steps=9)

    assert moved[0, 0].tolist() == [255, 254, 252]


def test_small_steps_follow_a_slope_that_turns():
    def towards_103(square):
        return 103 - square

    assert np.abs(pgd(SQUARE, towards_103, strength=8, n_steps=20).astype(int) - 103).max() <= 3
    assert fgsm(SQUARE, towards_103, strength=8)[0, 0, 0] == 108  # one step overshoots


def test_gradient_of_all_views_is_brought_back_upright():
    class Engine:
        def input_gradient(self, images, metadata, target):
            assert metadata.shape[0] == 8
            assert target.tolist() == [0.0 if code in ("mel", "bcc", "ak", "scc") else 1.0 for code in CODES]
            return images - images.mean()

    square = np.random.default_rng(0).uniform(0, 255, (6, 6, 3)).astype(np.float32)
    gradient = towards_harm(Engine(), FakePredictor(), Metadata(), is_malignant=True)(square)

    assert gradient == pytest.approx(8 * (square - square.mean()), rel=1e-3)


def _result(status, step, p_mel):
    shares = np.full(len(CODES), (1 - p_mel) / (len(CODES) - 1))
    shares[CODES.index("mel")] = p_mel
    prediction = prediction_from_views(shares[np.newaxis], fake_manifest())
    return PhotoResult(LabelledPhoto("a", "mel", True, Metadata()), prediction, status, None, step)


def test_rows_count_what_changed_and_what_would_harm():
    before = _result(Status.ANSWERED, NextStep.URGENT_2_WEEKS, 0.9)
    calmed = _result(Status.ANSWERED, NextStep.ROUTINE_CHECK, 0.01)
    caught = _result(Status.REFUSED, NextStep.NOT_ASSESSED, 0.01)
    attacked = [Attacked("pgd", 2, True, before, after) for after in (calmed, caught, before)]
    attacked.append(Attacked("pgd", 2, False, calmed, before))

    (row,) = summarise(attacked)

    assert (row["n"], row["n_malignant"]) == (4, 3)
    assert row["class_changed"]["n"] == 3
    assert row["next_step_changed"]["n"] == 3
    assert row["calmer"]["n"] == 1  # the refused one is no answer, and the nevus made alarming harms otherwise
    assert row["refused"]["n"] == 1
    found = {"model": {"name": "a", "version": "1", "sha256": "0" * 64}, "n_steps": 5, "rows": [row]}
    assert describe_adversarial(found)[-1] == "| PGD | 2/255 | 4 | 3 | 3 | 1 of 3 | 1 | 0 |"
    assert adversarial_page(found).startswith("# Chosen changes of the pixels")


def test_command_says_which_folds_there_are(tmp_path):
    (tmp_path / "labels.csv").write_text("image_id,dx,fold\na,mel,0\nb,nv,1\n")

    done = CliRunner().invoke(
        app, ["adversarial", "dermascan", "--images", str(tmp_path), "--labels", str(tmp_path / "labels.csv"),
              "--fold", "7", "--out", str(tmp_path / "out")],
    )  # fmt: skip

    assert done.exit_code == 1
    assert (
        "Expected rows of the fold '7' in 'labels.csv'. It has: 0, 1. Correct --fold, or leave it out." in done.output
    )
