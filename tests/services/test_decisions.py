"""What the shipped test says of one answer: of which photos it speaks, and of which it is silent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dermascan_core.domain import Answers, ImageType, Metadata, NextStep, PhotoScreening, Screening, Status
from dermascan_core.errors import TableError
from dermascan_core.evaluation.report import build_metrics
from dermascan_core.evaluation.results import predictions_csv
from dermascan_core.services import models
from dermascan_core.services.decisions import answer_groups, curve_at, group_of_answer, load_referrals, policies_at
from tests.evaluation.results_by_hand import MANIFEST, random_results
from tests.triage.test_policy import make_prediction

SHIPPED = replace(MANIFEST, name="m", sha256="1" * 64)
CALM = make_prediction()


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with a test of 300 photos, and one of 200 that was told nothing about the person."""
    monkeypatch.setattr(models, "WEIGHTS_DIR", tmp_path)
    for which, n in (("test", 300), ("test-no-metadata", 200)):
        results = random_results(1, n)
        folder = tmp_path / "m.evaluation" / which
        folder.mkdir(parents=True)
        metrics = build_metrics(results, SHIPPED, engine="fake", use_metadata=which == "test", n_resamples=20)
        (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        (folder / "predictions.csv").write_text(predictions_csv(results, SHIPPED.codes), encoding="utf-8")
    return tmp_path


def screening_of(**changes: object) -> Screening:
    """A screening of one calm answer about a person of fifty."""
    photo = PhotoScreening("a.jpg", Status.ANSWERED, None, None, None, CALM, CALM, NextStep.WATCH)
    one = Screening(
        photos=(photo,),
        metadata=Metadata(age_approx=50),
        answers=Answers(),
        image_type=ImageType.DERMOSCOPIC,
        next_step=NextStep.WATCH,
        step_reasons=(),
        disagreement=None,
        model="m",
        model_sha256=SHIPPED.sha256,
        engine="fake",
        app_version="0",
        screened_at="2026-01-01T00:00:00Z",
    )
    return replace(one, **changes)


def test_answer_is_counted_among_the_test_photos_of_its_kind() -> None:
    screening = screening_of()

    group = group_of_answer(screening, screening.photos[0], SHIPPED)

    assert group is not None
    assert group.code.startswith("below")
    assert group.n >= 30


def test_person_who_told_nothing_is_counted_in_the_test_that_was_told_nothing() -> None:
    told, untold = screening_of(), screening_of(metadata=Metadata())

    groups = [group_of_answer(one, one.photos[0], SHIPPED) for one in (told, untold)]

    totals = [
        sum(one.n for code, one in answer_groups("m", which).items() if code in ("above", "below"))
        for which in ("test", "test-no-metadata")
    ]
    assert totals == [300, 200]
    assert groups[0] is not groups[1]


@pytest.mark.parametrize(
    "changes",
    [
        {"image_type": ImageType.CLINICAL},
        {"metadata": Metadata(fitzpatrick_skin_type=5)},
        {"photos": (replace(screening_of().photos[0], status=Status.UNSURE),)},
        {"photos": (replace(screening_of().photos[0], status=Status.REFUSED, prediction=None),)},
    ],
)
def test_nothing_is_counted_of_what_was_not_measured(changes: dict[str, object]) -> None:
    screening = screening_of(**changes)

    assert group_of_answer(screening, screening.photos[0], SHIPPED) is None


def test_test_of_other_weights_counts_for_nothing() -> None:
    screening = screening_of()

    assert group_of_answer(screening, screening.photos[0], replace(SHIPPED, sha256="2" * 64)) is None


def test_damaged_predictions_count_for_nothing_beside_a_result_and_are_named_to_who_looks(weights: Path) -> None:
    (weights / "m.evaluation" / "test" / "predictions.csv").write_text("image_id\na\n", encoding="utf-8")

    assert answer_groups("m") == {}
    with pytest.raises(TableError, match=r"^Expected a predictions\.csv that `evaluate` wrote at "):
        load_referrals("m", "test")


def test_curve_and_table_speak_of_the_same_answers() -> None:
    curves, own_ratio = curve_at("m", "test", prevalence=0.05)

    own = next(one for one in policies_at("m", "test", prevalence=0.05, harm_ratio=20) if one.code == "own_line")
    assert any(abs(one.value - own.net_benefit.value) < 1e-9 for one in curves["own_line"])
    assert own_ratio > 1
