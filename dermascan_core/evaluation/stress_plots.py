"""The plots beside ``stress.json``: a row a damage, a bar, and its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from PIL import Image, ImageDraw

from .plots import BLACK, COLOURS, FAINT, WHITE, png_bytes, write_text

_ROW_PX, _TOP_PX, _LABEL_PX, _SPAN_PX = 34, 84, 260, 560
_BAR, _LIMIT = COLOURS[1], COLOURS[5]


def draw_stress_plots(stress: Mapping[str, Any]) -> dict[str, bytes]:
    """Draw what is kept and what changes.

    Args:
        stress: Contents of ``stress.json``.

    Returns:
        File name -> PNG. Without diagnoses there is no ``accuracy-kept.png``.
    """
    plots = {
        "next-step-changed.png": _bars(
            "Share of photos whose next step changes",
            [*stress["stresses"], *stress["small_changes"]],
            "next_step_changed",
            limit=0.05,
        ),
    }
    if stress["kept"].get("mean_accuracy_kept"):
        plots["accuracy-kept.png"] = _bars(
            "Accuracy kept, as a share of the clean photos'", stress["stresses"], "accuracy_kept", limit=0.85
        )
    if "melanoma_sensitivity_at_threshold" in stress["clean"]:
        clean = {"words": "as it is", "measures": stress["clean"]}
        plots["melanoma-sensitivity.png"] = _bars(
            "Share of the melanomas at or above the threshold",
            [clean, *stress["stresses"]],
            "melanoma_sensitivity_at_threshold",
            limit=0.95,
        )
    return plots


def _bars(title: str, rows: Sequence[Mapping[str, Any]], name: str, *, limit: float) -> bytes:
    image = Image.new("RGB", (_LABEL_PX + _SPAN_PX + 120, _TOP_PX + _ROW_PX * len(rows) + 60), WHITE)
    draw, bottom = ImageDraw.Draw(image), _TOP_PX + _ROW_PX * len(rows)

    def at(share: float) -> float:
        return _LABEL_PX + min(share, 1.15) / 1.15 * _SPAN_PX

    for tick in range(6):
        draw.line([(at(tick / 5), _TOP_PX), (at(tick / 5), bottom)], fill=FAINT)
        write_text(draw, (at(tick / 5), bottom + 18), f"{tick / 5:.0%}")
    for number, row in enumerate(rows):
        middle = _TOP_PX + _ROW_PX * (number + 0.5)
        write_text(draw, (_LABEL_PX - 12, middle), row["words"], anchor="rm")
        estimate = row["measures"].get(name)
        if estimate is None or estimate["value"] is None:
            write_text(draw, (_LABEL_PX + 8, middle), "undefined", anchor="lm")
            continue
        draw.rectangle([_LABEL_PX, middle - 10, at(estimate["value"]), middle + 10], fill=_BAR)
        end = estimate["value"]
        if estimate["low"] is not None and estimate["high"] is not None:
            end = estimate["high"]
            draw.line([(at(estimate["low"]), middle), (at(end), middle)], fill=BLACK, width=2)
            for edge in (estimate["low"], end):
                draw.line([(at(edge), middle - 5), (at(edge), middle + 5)], fill=BLACK, width=2)
        write_text(draw, (at(end) + 8, middle), f"{estimate['value']:.1%}", anchor="lm")
    draw.line([(at(limit), _TOP_PX - 6), (at(limit), bottom)], fill=_LIMIT, width=2)
    write_text(draw, (at(limit), _TOP_PX - 16), f"{limit:.0%}", ink=_LIMIT)
    write_text(draw, ((_LABEL_PX + _SPAN_PX + 120) / 2, 30), title, size_px=20)
    return png_bytes(image)
