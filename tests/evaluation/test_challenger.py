"""The rule by which a challenger may take the shipped model's place, on results made by hand."""

from dataclasses import replace

import pytest

from dermascan_core.evaluation.challenger import frozen_sha256, judge_challenger
from dermascan_core.tables import LabelledPhoto
from tests.evaluation.results_by_hand import result


def answers(p_malignant, p_other, *, n=40):
    """n melanomas and n nevi; each gets its share of melanoma, by number."""
    made = [result(f"m{i}", "mel", {"mel": p_malignant(i)}, lesion_id=f"m{i}") for i in range(n)]
    return made + [result(f"n{i}", "nv", {"mel": p_other(i)}, lesion_id=f"n{i}") for i in range(n)]


def weak(i):
    return 0.35 + 0.01 * (i % 30)


SHIPPED = answers(weak, lambda i: 0.2 + 0.01 * (i % 30))


def test_a_clearly_better_challenger_may_be_promoted():
    verdict = judge_challenger(SHIPPED, answers(lambda i: 0.7, lambda i: 0.1), n_resamples=200)

    assert verdict.is_better
    assert verdict.reasons[0] == "40 frozen photos show cancer or pre-cancer; at least 30 are needed."
    assert "above 0" in verdict.reasons[1]


def test_the_same_model_is_no_better():
    verdict = judge_challenger(SHIPPED, SHIPPED, n_resamples=200)

    assert not verdict.is_better
    assert verdict.reasons[1] == "The gain in AUC has no interval on these photos, so it cannot be told from none."


def test_a_higher_auc_bought_with_missed_cancers_is_refused():
    # In perfect order, but five melanomas now lie below the threshold of 0.3.
    challenger = answers(lambda i: 0.25 if i < 5 else 0.8, lambda i: 0.05)

    verdict = judge_challenger(SHIPPED, challenger, n_resamples=200)

    assert not verdict.is_better
    assert "above 0" in verdict.reasons[1]
    assert verdict.reasons[2] == "Sensitivity at each model's own threshold: -0.1250, a loss."


def test_a_gain_that_may_be_chance_is_refused():
    challenger = [replace(r) for r in SHIPPED]
    challenger[0] = result("m0", "mel", {"mel": 0.9}, lesion_id="m0")

    verdict = judge_challenger(SHIPPED, challenger, n_resamples=200)

    assert not verdict.is_better
    assert "not surely above 0" in verdict.reasons[1]


def test_too_few_cancers_decide_nothing():
    few = answers(weak, lambda i: 0.2, n=12)

    verdict = judge_challenger(few, answers(lambda i: 0.9, lambda i: 0.01, n=12), n_resamples=100)

    assert not verdict.is_better
    assert verdict.reasons[0] == "12 frozen photos show cancer or pre-cancer; at least 30 are needed."


@pytest.fixture
def photos(tmp_path):
    rows = [LabelledPhoto("a", "mel", True, lesion_id="L1"), LabelledPhoto("b", "nv", False, lesion_id="L2")]
    files = {}
    for row in rows:
        files[row.image_id] = tmp_path / f"{row.image_id}.jpg"
        files[row.image_id].write_bytes(row.image_id.encode())
    return rows, files


def test_name_of_a_frozen_set_does_not_depend_on_the_order(photos):
    rows, files = photos

    assert frozen_sha256(rows, files) == frozen_sha256(rows[::-1], files)


def test_name_of_a_frozen_set_changes_with_a_diagnosis_a_pixel_or_a_photo_less(photos):
    rows, files = photos
    before = frozen_sha256(rows, files)

    relabelled = frozen_sha256([rows[0], replace(rows[1], dx="bcc", is_malignant=True)], files)
    fewer = frozen_sha256(rows[:1], files)
    files["a"].write_bytes(b"another photo")
    repainted = frozen_sha256(rows, files)

    assert len({before, relabelled, fewer, repainted}) == 4
