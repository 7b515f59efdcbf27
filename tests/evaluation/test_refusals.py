"""The scorecard counts what the whole chain refuses, real lesions and other pictures apart."""

import json

import cv2
import numpy as np
import pytest

from dermascan_core.domain import ImageType, Reason
from dermascan_core.evaluation import refusals
from dermascan_core.evaluation.refusals import Judged, build_scorecard, describe_scorecard, run_refusals, scorecard_page
from dermascan_core.model.predictor import PhotoOutput
from dermascan_core.trust.gate import GateScores
from tests.fakes import FakePredictor
from tests.imaging.pictures import skin_photo

NO = Reason("not_a_lesion", "no")


def _judged(group, refused, *, n=4, is_lesion=False, was_fitted=False):
    return [Judged(group, is_lesion, was_fitted, NO if i < refused else None) for i in range(n)]


def test_rows_count_refusals_with_exact_intervals():
    judged = _judged("ham", 1, is_lesion=True) + _judged("wood", 4, was_fitted=True) + _judged("fur", 2)

    found = build_scorecard(judged, FakePredictor(), libraries=["scikit-image"])

    assert [(row["name"], row["n"], row["n_refused"]) for row in found["lesions"]] == [("ham", 4, 1)]
    assert [(row["name"], row["share"]) for row in found["others"]] == [("wood", 1.0), ("fur", 0.5)]
    assert (found["all_others"]["n"], found["all_others"]["share"]) == (8, 0.75)
    assert (found["new_others"]["n"], found["new_others"]["share"]) == (4, 0.5)
    assert found["others"][0]["low"] == pytest.approx(0.3976, abs=1e-4)  # 4 of 4: 0.025 ** (1 / 4)
    assert found["others"][1]["reasons"] == {"not_a_lesion": 2}


def test_table_and_page_say_what_the_file_holds():
    found = build_scorecard(_judged("ham", 0, is_lesion=True) + _judged("fur", 3), FakePredictor())

    assert "| fur | 4 | 75.0 % | 19.4 to 99.4 % | not_a_lesion 3 |" in describe_scorecard(found)
    page = scorecard_page(found)
    assert page.startswith("# Refusal scorecard\n\nWritten by `python -m dermascan_core refusals --help`")
    assert "| ham | 4 | 0.0 % | 0.0 to 60.2 % |  |" in page


def test_run_sends_every_picture_through_quality_and_gate(tmp_path, monkeypatch):
    class Gated(FakePredictor):
        def predict(self, squares, metadata, *, explain=False):
            outputs = super().predict(squares, metadata, explain=explain)
            scores = GateScores(1.0, 0.1, 0.0, 0.9, 2.0, 0.8)  # everything is another picture
            return [PhotoOutput(o.prediction, o.prediction_without_metadata, o.embedding, gate=scores) for o in outputs]

    monkeypatch.setattr(refusals, "N_EACH_FAMILY", 1)
    monkeypatch.setattr(refusals, "everyday_photos", lambda: iter([("library:grey", np.zeros((200, 200), np.uint8))]))
    path = tmp_path / "lesion.png"
    cv2.imwrite(str(path), skin_photo()[..., ::-1])

    found = run_refusals(
        Gated(), {"own": ([path, tmp_path / "none.png"], ImageType.DERMOSCOPIC)}, out=tmp_path, fitted_families=["wood"]
    )

    assert json.loads((tmp_path / "refusals.json").read_text()) == found
    assert found["lesions"][0]["reasons"] == {"not_a_lesion": 1, "unreadable": 1}
    assert found["all_others"]["share"] == 1.0
    assert found["libraries"] == ["library"]
    assert {row["name"] for row in found["others"] if row["was_fitted"]} == {"wood"}
