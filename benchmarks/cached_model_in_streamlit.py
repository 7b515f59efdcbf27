"""Answers a second of a cached Keras model in Streamlit, with and without the guard.

    python -m benchmarks.cached_model_in_streamlit [--seconds 10] [--out docs/cached-model.md]

Streamlit clears Keras' session and collects all garbage after every script run once Keras is imported. This runs the
app's predictor and then exactly what Streamlit's script runner does after a run: its own clean-up as shipped, and the
app's guard; the two take turns.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
from streamlit.runtime.scriptrunner import script_runner

from dermascan_core.domain import Metadata
from dermascan_core.services.models import load_predictor


def main() -> None:
    """Print the table, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each turn")
    parser.add_argument("--out", type=Path, help="Markdown file to write")
    options = parser.parse_args()

    shipped = script_runner._clean_problem_modules
    from pages._ui import model as app_model

    app_model.guard_cached_model()
    guarded = script_runner._clean_problem_modules
    predictor = load_predictor()
    side = predictor.manifest.preprocess.input_px
    square = np.full((1, side, side, 3), 150, np.uint8)

    def answers_a_second(clean, *, collects: bool) -> float:
        n, started = 0, time.perf_counter()
        while time.perf_counter() - started < options.seconds:
            predictor.predict(square, [Metadata()], explain=True)
            clean()
            if collects:
                gc.collect(2)
            n += 1
        return n / (time.perf_counter() - started)

    rates: dict[str, list[float]] = {"Streamlit as shipped": [], "with the guard": []}
    for _ in range(2):
        rates["Streamlit as shipped"].append(answers_a_second(shipped, collects=True))
        rates["with the guard"].append(answers_a_second(guarded, collects=False))
    slow, fast = (sum(r) / len(r) for r in rates.values())
    table = f"""# A cached Keras model in Streamlit

Written by `python -m benchmarks.cached_model_in_streamlit`: eight views, heat maps, then what Streamlit does after each
script run. Two turns each, {options.seconds:g} s a turn.

| clean-up after each run | answers a second |
| --- | --- |
| Streamlit as shipped (clear_session, full garbage collection) | {slow:.2f} |
| the app's guard | {fast:.2f} |

Ratio: {fast / slow:.1f}.
"""
    print(table)
    if options.out:
        options.out.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
