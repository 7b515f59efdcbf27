"""Where a melanoma stands among its owner's lesions: places, chance, intervals by person, by hand and through a command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dermascan_core.cli import app
from dermascan_core.domain import ImageType, NextStep, Prediction, Status
from dermascan_core.errors import DatasetError
from dermascan_core.evaluation.results import PhotoResult
from dermascan_core.evaluation.ugly_duckling import (
    ORDERS,
    MeasuredLesion,
    MeasuredPerson,
    build_measured,
    order_lesions,
    people_with_melanoma,
    run_ugly_duckling,
)
from dermascan_core.evaluation.ugly_duckling_page import MEASURES, describe_ugly_duckling, render_page
from dermascan_core.imaging.lesion_features import FEATURE_NAMES
from dermascan_core.services import models
from dermascan_core.tables import LabelledPhoto
from dermascan_core.taxonomy import HAM_CODES
from tests.fakes import FakePredictor, fake_photo, photo_bytes

N = len(FEATURE_NAMES)


def lesion(name: str, dx: str, p_malignant: float, *, patient_id: str = "P1", look: float = 0.0) -> MeasuredLesion:
    """A lesion whose picture and traits lie ``look`` away from its kin."""
    shares = np.full(7, (1 - p_malignant) / 6)
    shares[HAM_CODES.index("mel")] = p_malignant
    prediction = Prediction(
        HAM_CODES, shares, shares, "mel", p_malignant, ("mel",), ("mel",), 8, 8, is_above_threshold=p_malignant >= 0.5
    )
    photo = LabelledPhoto(name, dx, dx == "mel", patient_id=patient_id)
    result = PhotoResult(photo, prediction, Status.ANSWERED, None, NextStep.WATCH, ImageType.DERMOSCOPIC)
    return MeasuredLesion(result, np.array([1.0, look, 0.0]), np.full(N, 50.0 + 10 * look))


def person(patient_id: str, melanomas: list[tuple[float, float]], others: list[tuple[float, float]]) -> MeasuredPerson:
    """A person from (p_malignant, look) of each lesion."""
    lesions = [
        lesion(f"{patient_id}m{i}", "mel", p, patient_id=patient_id, look=z) for i, (p, z) in enumerate(melanomas)
    ]
    lesions += [lesion(f"{patient_id}n{i}", "nv", p, patient_id=patient_id, look=z) for i, (p, z) in enumerate(others)]
    return order_lesions(patient_id, lesions)


OTHERS = [(0.1 + 0.01 * i, 0.01 * i) for i in range(9)]


def test_odd_melanoma_is_first_by_looks_and_last_by_the_network() -> None:
    measured = build_measured([person("P1", [(0.01, 2.0)], OTHERS)], n_resamples=20)

    row = measured["rows"][0]
    assert row["measures"]["ugly_duckling"]["mean_rank"]["value"] == 0.0
    assert row["measures"]["ugly_duckling"]["top_1"]["value"] == 1.0
    assert row["measures"]["p_malignant"]["mean_rank"]["value"] == 1.0
    assert row["measures"]["p_malignant"]["top_3"]["value"] == 0.0
    assert row["measures"]["ugly_duckling"]["mean_rank_less_network"]["value"] == -1.0
    assert row["below_threshold"] == {"n": 1, "n_top_1": 1, "n_top_3": 1, "n_top_10_percent": 1}
    assert measured["melanomas"][0]["positions"]["p_malignant"] == 10.0


def test_chance_by_hand() -> None:
    measured = build_measured(
        [person("P1", [(0.9, 1.0)], OTHERS), person("P2", [(0.9, 1.0)], OTHERS[:4])], n_resamples=20
    )

    # Among 10 and among 5: 1/10 and 1/5; 3/10 and 3/5; the first tenth is one place in both.
    assert measured["rows"][0]["chance"] == {"mean_rank": 0.5, "top_1": 0.15, "top_3": 0.45, "top_10_percent": 0.15}
    assert (measured["rows"][1]["n_people"], measured["rows"][1]["chance"]["top_1"]) == (1, 0.1)


def test_melanomas_of_one_person_do_not_stand_in_each_other_s_way() -> None:
    measured = build_measured([person("P1", [(0.9, 1.0), (0.8, 0.5)], OTHERS)], n_resamples=20)

    assert [one["positions"]["p_malignant"] for one in measured["melanomas"]] == [1.0, 1.0]
    assert [one["n_beside"] for one in measured["melanomas"]] == [9, 9]


def test_equal_scores_share_a_place() -> None:
    measured = build_measured([person("P1", [(0.5, 1.0)], [(0.5, 0.0), (0.5, 0.1), (0.2, 0.2)])], n_resamples=20)

    assert measured["melanomas"][0]["positions"]["p_malignant"] == 2.0
    assert measured["rows"][0]["measures"]["p_malignant"]["top_1"]["value"] == 0.0


def test_combined_order_is_the_mean_of_two_ranks() -> None:
    scores = person("P1", [(0.01, 2.0)], OTHERS).scores

    # First of 10 by looks, last by the network: -(1 + 10) / 2.
    assert scores["combined"][0] == -5.5


def test_one_less_the_mean_place_is_the_auc_within_a_person() -> None:
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(4)
    one = person("P1", [(p, 0.3) for p in rng.random(3)], [(p, 0.1) for p in rng.random(8)])
    measured = build_measured([one], n_resamples=20)

    labels = [lesion.is_melanoma for lesion in one.lesions]
    place = measured["rows"][0]["measures"]["p_malignant"]["mean_rank"]["value"]
    assert 1 - place == pytest.approx(roc_auc_score(labels, one.scores["p_malignant"]), abs=1e-6)


def test_intervals_draw_people_not_melanomas() -> None:
    # Two people alone: every resample has one of three means, so the interval spans both people.
    people = [person("P1", [(0.9, 1.0)] * 4, OTHERS), person("P2", [(0.01, 1.0)] * 4, OTHERS)]
    measured = build_measured(people, n_resamples=200)

    estimate = measured["rows"][0]["measures"]["p_malignant"]["mean_rank"]
    assert (estimate["value"], estimate["low"], estimate["high"]) == (0.5, 0.0, 1.0)


def test_people_without_a_melanoma_are_not_asked() -> None:
    photos = [LabelledPhoto(f"a{i}", "", False, patient_id="A") for i in range(5)]
    photos += [LabelledPhoto(f"b{i}", "mel" if i == 0 else "", i == 0, patient_id="B") for i in range(3)]
    photos += [LabelledPhoto(f"c{i}", "mel", True, patient_id="C") for i in range(2)]

    assert {name: len(own) for name, own in people_with_melanoma(photos).items()} == {"B": 3}
    with pytest.raises(DatasetError, match="Received 1 people, none of them such a one"):
        people_with_melanoma(photos[:5])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two people: one with a dark melanoma among brown moles, one without any melanoma."""
    (tmp_path / "images").mkdir()
    rows = ["image_id,patient_id,diagnosis,target"]
    for i in range(5):
        colour = (45, 25, 20) if i == 2 else (118 + i, 70, 50 + i)
        (tmp_path / "images" / f"a{i}.jpg").write_bytes(photo_bytes(fake_photo(lesion=colour)))
        rows.append(f"a{i},A,{'melanoma' if i == 2 else 'unknown'},{int(i == 2)}")
        rows.append(f"b{i},B,unknown,0")
    rows.append("a9,A,unknown,0")  # no such photo
    (tmp_path / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path


def test_command_writes_what_it_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "load_predictor", lambda *names, **options: FakePredictor())
    words = ["ugly-duckling", "--images", str(folder / "images"), "--labels", str(folder / "labels.csv")]
    page = folder / "docs" / "ugly-duckling.md"

    done = CliRunner().invoke(app, [*words, "--out", str(folder / "out"), "--page", str(page)])

    assert done.exit_code == 0, done.output
    assert "People with 3 lesions or more: 1 people, 5 lesions, 1 melanomas." in done.output
    measured = json.loads((folder / "out" / "ugly-duckling.json").read_text(encoding="utf-8"))
    assert measured["data"]["n_unreadable"] == 1
    assert measured["data"]["n_people_in_table"] == 2
    assert measured["rows"][0]["measures"]["ugly_duckling"]["top_1"]["value"] == 1.0
    assert measured["rows"][1]["n_melanoma"] == 0
    with (folder / "out" / "lesions.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    assert rows["a2"]["odd_rank"] == "1"
    assert float(rows["a2"]["z_lightness"]) < -2
    assert page.read_text(encoding="utf-8") == render_page(measured)


def test_page_and_terminal_name_every_order() -> None:
    measured = build_measured([person("P1", [(0.9, 2.0)], OTHERS)], n_resamples=20)
    measured["model"] = {"name": "m", "version": "1", "n_views": 8, "sha256": "0" * 64}
    measured["data"] |= {"use_metadata": True, "n_people_in_table": 3}

    page, lines = render_page(measured), "\n".join(describe_ugly_duckling(measured))

    assert all(words in page for words in (*ORDERS.values(), *MEASURES.values()))
    assert all(order in lines for order in ORDERS)


def test_photos_that_cannot_be_read_leave_nothing_to_measure(tmp_path: Path) -> None:
    photos = [LabelledPhoto(f"b{i}", "mel" if i == 0 else "", i == 0, patient_id="B") for i in range(3)]

    with pytest.raises(DatasetError, match="None could be read"):
        run_ugly_duckling(FakePredictor(), photos, {}, out=tmp_path)
