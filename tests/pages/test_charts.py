"""Charts and rows show the numbers they were given, no others."""

import subprocess
import sys

import numpy as np
import pytest

from dermascan_core.domain import Prediction
from dermascan_core.model.predictor import prediction_from_views
from dermascan_core.triage.wording import Voice
from pages._ui import charts, measures
from pages._ui.measured_charts import epoch_chart
from tests.fakes import CODES, fake_manifest


def prediction(*shares: float) -> Prediction:
    return prediction_from_views(np.tile(shares, (8, 1)), fake_manifest(codes=CODES))


def test_class_chart_shows_both_answers_in_percent() -> None:
    told = prediction(0.3, 0.6, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01)
    alone = prediction(0.1, 0.8, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01)

    figure = charts.class_chart(told, alone, voice=Voice.PUBLIC, is_greyed=False)

    assert [bar.name for bar in figure.data] == ["with your answers", "photo alone"]
    assert list(figure.data[0].x) == pytest.approx([4, 2, 2, 1, 30, 60, 1])
    assert list(figure.data[1].x) == pytest.approx([4, 2, 2, 1, 10, 80, 1])


def test_class_chart_shows_one_answer_where_nothing_was_told() -> None:
    told = prediction(0.3, 0.6, 0.02, 0.02, 0.02, 0.02, 0.01, 0.01)

    figure = charts.class_chart(told, told, voice=Voice.CLINICIAN, is_greyed=True)

    assert len(figure.data) == 1
    assert set(figure.data[0].marker.color) == {charts.GREY}


def test_confusion_chart_shows_rows_in_percent_and_leaves_empty_classes_empty() -> None:
    figure = charts.confusion_chart([[3, 1], [0, 0]], [[0.75, 0.25], [None, None]], ["mel", "nv"])

    assert [list(row) for row in figure.data[0].z] == [[75, 25], [None, None]]
    assert [list(row) for row in figure.data[0].text] == [["75", "25"], ["", ""]]


def test_calibration_chart_leaves_out_empty_bins() -> None:
    bins = [
        {"low": 0.0, "high": 0.5, "n": 4, "confidence": 0.2, "accuracy": 0.25},
        {"low": 0.5, "high": 1.0, "n": 0, "confidence": None, "accuracy": None},
    ]

    figure = charts.calibration_chart(bins, x_title="said", y_title="was")

    assert list(figure.data[1].x) == [0.2]
    assert list(figure.data[1].y) == [0.25]


@pytest.mark.parametrize(("kept", "anchor"), [(3, "left"), (28, "right")])
def test_best_epoch_is_named_above_the_lines_and_towards_the_middle(kept: int, anchor: str) -> None:
    figure = epoch_chart({"AUC": (range(1, 31), [0.9] * 30)}, y_title="share", kept_epoch=kept)

    [label] = figure.layout.annotations
    assert (label.text, label.yanchor, label.y, label.xanchor) == ("best epoch", "bottom", 1, anchor)


def test_effect_chart_makes_room_for_each_line_of_its_title() -> None:
    one, two = (charts.effect_chart({"age": 2.0}, x_title=title) for title in ("points", "points,<br>of what"))

    assert two.layout.height == one.layout.height + 20


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        ({"value": 0.9612, "low": 0.95, "high": 0.971}, "0.961 (0.950 to 0.971)"),
        ({"value": 0.5, "low": None, "high": None}, "0.500"),
        ({"value": None, "low": None, "high": None}, "-"),
        (None, "-"),
    ],
)
def test_measure_is_shown_with_its_interval_or_as_a_dash(estimate: dict[str, float] | None, shown: str) -> None:
    assert measures.with_interval(estimate) == shown


@pytest.mark.parametrize(("share", "shown"), [(0.196, "20"), (0.0123, "1.2"), (0.0, "0"), (None, "an unknown number")])
def test_share_is_shown_as_a_count_of_a_hundred(share: float | None, shown: str) -> None:
    assert measures.of_100(share) == shown


def test_pandas_is_whole_before_plotly_looks_for_it() -> None:
    # A cold server drew its first chart while another thread was half through importing pandas, and failed.
    code = "import pages._ui.charts, sys; print(hasattr(sys.modules['pandas'], 'Series'))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "True"
