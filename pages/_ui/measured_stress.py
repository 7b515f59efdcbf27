"""What is left of the answers when photos get worse: stress tests, small changes, single views, photos of one lesion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dermascan_core.triage.wording import Voice, class_name

from . import measures
from .measured_charts import Interval, interval_chart, kept_chart
from .measured_table import show_chart, show_nothing_yet, show_table

_VIEWS = {
    "changed_from_upright": "another view than the photo as it is",
    "changed_from_averaged": "a view and the mean of all views",
    "two_views_differ": "two views drawn at random",
    "any_view_differs": "any of the eight views and the photo as it is",
}
_LESION_FACTS = {
    "same_class": "the same class shown first",
    "same_next_step": "the same next step",
    "sets_overlap": "sets with a class in common",
    "all_right": "all photos right",
    "any_right": "at least one photo right",
}


def show_stress(stress: Mapping[str, Any] | None, name: str) -> None:
    """Show what ``stress`` measured of a model."""
    st.header("When the photo is worse")
    st.markdown(
        "Photos from a phone are blurred, dark or tilted; there are hairs, ink and rulers on them. Here the same test "
        "photos were damaged on purpose, one thing at a time, and answered again."
    )
    if stress is None:
        show_nothing_yet(
            "no stress test ships with this model.",
            "stress --images ham10000/images --labels ham10000/metadata.csv --split test "
            f"--model {name} --out weights/{name}.evaluation/stress",
        )
        return
    data = stress["data"]
    st.caption(
        f"{data['n']:,} photos, {data['n_melanoma']} of them melanoma, brought to {data['detail_px']} px of detail first. "
        "Intervals hold 95 %; each photo is compared with itself."
    )
    _show_kept(stress)
    _show_small_changes(stress)
    _show_low_pigment(stress["low_pigment"])
    _show_heat(stress.get("heat_map", {}))


def _lines(rows: Sequence[Mapping[str, Any]], name: str, worst: str | None) -> list[Interval]:
    return [
        Interval(row["words"], one["value"], one["low"], one["high"], is_marked=row["name"] == worst)
        for row in rows
        if (one := row["measures"].get(name)) and one["value"] is not None
    ]


def _show_kept(stress: Mapping[str, Any]) -> None:
    st.subheader("Accuracy kept")
    kept = stress["kept"]
    worst = kept.get("worst_accuracy_kept")
    if worst:
        mean = kept["mean_accuracy_kept"]
        st.markdown(
            f"For every 100 right answers on the photos as they are, there were on average "
            f"**{measures.of_100(mean['value'])}** on the changed ones; in the worst case, {worst['words']}, "
            f"**{measures.of_100(worst['value'])}**."
        )
    lines = _lines(stress["stresses"], "accuracy_kept", worst["name"] if worst else None)
    if lines:
        show_chart(
            kept_chart(lines, x_title="accuracy kept, percent"),
            key="stress_kept",
            alt="Share of the clean accuracy kept under each change, with intervals",
        )
        st.caption("Orange: the worst of those that count. Noise is shown and does not count in the mean.")
    words = {
        "accuracy_kept": "accuracy kept",
        "balanced_accuracy_kept": "balanced accuracy kept",
        "malignant_sensitivity_at_threshold": "sensitivity at the line",
        "melanoma_sensitivity_at_threshold": "sensitivity at the line, melanoma",
        "specificity_at_threshold": "specificity at the line",
        "next_step_changed": "next step changed",
        "next_step_calmer": "next step calmer",
        "newly_refused": "newly refused",
    }
    clean = {"change": "none (clean)"} | {
        text: measures.with_interval(stress["clean"].get(k)) for k, text in words.items()
    }
    rows = [
        {"change": row["words"]} | {text: measures.with_interval(row["measures"].get(k)) for k, text in words.items()}
        for row in (*stress["stresses"], *stress["small_changes"])
    ]
    with st.expander("Every number", icon=":material/table:"):
        show_table([clean, *rows], key="stress_table", file_name="stress")


def _show_small_changes(stress: Mapping[str, Any]) -> None:
    st.subheader("Does the advice stay?")
    changed = stress["next_step_changed"]
    worst = changed.get("worst")
    st.markdown(
        "A second photo of the same spot is a little turned, nearer, lighter. How many of 100 photos would be given "
        "another next step? Fewer is better."
    )
    if worst:
        st.markdown(
            f"On average **{measures.of_100(changed['mean']['value'])}** of 100; at worst, {worst['words']}, "
            f"**{measures.of_100(worst['value'])}**."
        )
    show_chart(
        interval_chart(
            {"small changes": _lines(stress["small_changes"], "next_step_changed", worst["name"] if worst else None)},
            x_title="next step changed, percent",
            in_percent=True,
        ),
        key="stress_steps",
        alt="Share of photos whose next step changes under small changes",
    )
    if stress["single_views"]:
        st.markdown(
            "The model looks at each photo in eight views (turned and mirrored) and takes the mean. Had it only one view:"
        )
        st.table(
            [
                {
                    "the next step differs between": words,
                    "of 100 photos (95 % interval)": measures.of_100_with_interval(stress["single_views"][key]),
                }
                for key, words in _VIEWS.items()
                if key in stress["single_views"]
            ],
            hide_index=True,
        )


def _show_low_pigment(low: Mapping[str, Any]) -> None:
    st.subheader("Melanomas with little colour")
    st.markdown(
        "Melanomas that hardly stand out from the skin are the ones that people and programs miss. "
        f"The photos of this measurement hold **{low['n']}** of them (among {low['n_melanoma']} melanomas)."
    )
    if low["too_few"]:
        st.info(
            f"Too few cases for a number: at least {low['min_n']} are needed. Assume that such melanomas can be missed.",
            icon=":material/visibility_off:",
        )
        return
    clean = low["clean"]
    pale, other = clean["sensitivity_at_threshold"], clean["sensitivity_of_other_melanomas"]
    show_chart(
        interval_chart(
            {
                "melanoma": [
                    Interval("with little colour", pale["value"], pale["low"], pale["high"], is_marked=True),
                    Interval("all other melanomas", other["value"], other["low"], other["high"]),
                ]
            },
            x_title="at or above the line, percent",
            in_percent=True,
            x_range=(0, 104),
        ),
        key="low_pigment",
        alt="Sensitivity for melanomas with little colour and for the others",
    )
    st.caption(f"{low['rule']}; up to {low['max_delta_e']}.")


def _show_heat(heat: Mapping[str, Mapping[str, float | None]]) -> None:
    inside, share = heat.get("heat_in_lesion"), heat.get("lesion_share")
    if not inside or inside["value"] is None or not share:
        return
    st.subheader("Where it looks")
    st.markdown(
        f"**{measures.of_100(inside['value'])} %** of the heat map lies inside the spot, which covers "
        f"{measures.of_100(share['value'])} % of the picture. A network that looked anywhere would reach that share too; "
        "the more above it, the better."
    )


def show_lesions(consistency: Mapping[str, Any] | None, which: str, voice: Voice) -> None:
    """Show whether several photos of one lesion get one answer.

    Args:
        consistency: Of an evaluation; None where its file is of an earlier version.
        which: Words for the evaluation.
        voice: Who is spoken to.
    """
    st.subheader("Several photos of one spot")
    if consistency is None or not consistency["rows"]:
        show_nothing_yet(
            "the evaluation says nothing about photos of one lesion.",
            "evaluate --images ham10000/images --labels ham10000/metadata.csv --split test --out out",
        )
        return
    overall = consistency["rows"][0]
    st.markdown(
        f"{overall['n_lesions']} lesions were photographed more than once ({overall['n_photos']} photos; {which}). "
        "All photos of one spot should get one answer."
    )
    if overall["measures"]:
        lines = [
            Interval(words, one["value"], one["low"], one["high"])
            for key, words in _LESION_FACTS.items()
            if (one := overall["measures"].get(key)) and one["value"] is not None
        ]
        show_chart(
            interval_chart({"lesions": lines}, x_title="percent of lesions", in_percent=True, x_range=(0, 104)),
            key="lesions",
            alt="Share of lesions whose photos get one answer",
        )
    show_table(
        [
            {
                "class": class_name(row["dx"], voice) if row["dx"] else "all",
                "lesions": row["n_lesions"],
                "photos": row["n_photos"],
                **{
                    words: "too few cases"
                    if row["too_few"]
                    else measures.with_interval((row["measures"] or {}).get(key), digits=2)
                    for key, words in _LESION_FACTS.items()
                },
            }
            for row in consistency["rows"]
        ],
        key="lesions_table",
        file_name="lesions",
    )
    st.caption(f"Classes with fewer than {consistency['min_n_lesions']} such lesions carry no numbers.")
