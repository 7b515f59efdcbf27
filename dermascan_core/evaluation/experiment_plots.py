"""The plots beside the table of training runs: score by run, the learning curve, and how the best runs went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw

from .experiments import Experiment, epoch_curves, experiment_rows, learning_curve
from .line_plot import draw_lines
from .plots import COLOURS, FAINT, INK, WHITE, png_bytes, write_text

_ROW_PX, _TOP_PX, _LABEL_PX, _SPAN_PX, _RIGHT_PX = 30, 84, 280, 560, 100
_MAX_TOGETHER = 5  # as many as can be told apart
_CURVES = {"Macro AUC": "macro_auc", "Malignant AUC": "malignant_auc", "Balanced accuracy": "balanced_accuracy"}


def draw_experiment_plots(experiments: Sequence[Experiment]) -> dict[str, bytes]:
    """Draw what runs reached, and how.

    Args:
        experiments: From ``read_experiments``.

    Returns:
        File name -> PNG: ``scores.png`` where a run has a score, ``learning-curve.png`` where a recipe was tried on several
        shares of the lesions, ``epochs.png`` (of the recipes without a change, then of the best runs; five at most) where
        one ran for two epochs or more.
    """
    rows = experiment_rows(experiments)
    name = "score_8" if all(row["score_8"] is not None for row in rows) else "score_1"
    scored = [row for row in rows if row[name] is not None]
    plots = {"scores.png": _dots(scored, name)} if scored else {}
    curve = [one for one in learning_curve(experiments) if all(one.measure(m) is not None for m in _CURVES.values())]
    if len(curve) > 1:
        shares = [one.n_train for one in curve]
        lines = [(words, shares, [one.measure(m) or 0.0 for one in curve]) for words, m in _CURVES.items()]
        plots["learning-curve.png"] = draw_lines(
            f"{curve[0].base} on growing shares of the lesions", "photos learnt from", "one view", lines
        )
    by_name = {one.name: one for one in experiments}
    order = [*(one.name for one in experiments if not one.changed), *(str(row["name"]) for row in rows)]
    together = [by_name[one] for one in dict.fromkeys(order)][:_MAX_TOGETHER]
    courses = epoch_curves(together, "val_score")
    if any(len(epochs) > 1 for epochs, _ in courses.values()):
        plots["epochs.png"] = draw_lines(
            "Score by epoch", "epoch", "validation score", [(one, x, y) for one, (x, y) in courses.items()]
        )
    return plots


def _dots(rows: Sequence[Mapping[str, Any]], name: str) -> bytes:
    """Draw a row a run and its score as a dot: runs differ in thousandths, which bars from 0 would not show."""
    width, bottom = _LABEL_PX + _SPAN_PX + _RIGHT_PX, _TOP_PX + _ROW_PX * len(rows)
    image = Image.new("RGB", (width, bottom + 60), WHITE)
    draw = ImageDraw.Draw(image)
    low, high = min(row[name] for row in rows), max(row[name] for row in rows)
    span = max(high - low, 0.01)

    def at(score: float) -> float:
        return _LABEL_PX + 16 + float((score - low) / span) * (_SPAN_PX - 32)

    for tick in range(6):
        score = low + span * tick / 5
        draw.line([(at(score), _TOP_PX), (at(score), bottom)], fill=FAINT)
        write_text(draw, (at(score), bottom + 18), f"{score:.3f}")
    for number, row in enumerate(rows):
        middle, is_plain = _TOP_PX + _ROW_PX * (number + 0.5), row["changed"] == "-"
        write_text(draw, (_LABEL_PX - 12, middle), row["name"], anchor="rm")
        draw.ellipse([at(row[name]) - 7, middle - 7, at(row[name]) + 7, middle + 7], fill=COLOURS[5 if is_plain else 4])
        write_text(draw, (width - 12, middle), f"{row[name]:.3f}", anchor="rm")
    views = "8 views" if name == "score_8" else "1 view"
    write_text(draw, (width / 2, 28), f"Validation score of each run, {views}", size_px=20)
    write_text(draw, (width / 2, 58), "orange: the recipe without a change", ink=COLOURS[5])
    write_text(
        draw, (width / 2, bottom + 42), "mean of macro AUC, malignant AUC and balanced accuracy, best epoch", ink=INK
    )
    return png_bytes(image)
