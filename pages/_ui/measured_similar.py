"""How good the similar labelled photos are: how often the nearest ones carry the right label, and what they add."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dermascan_core.triage.similar_wording import NEVER_CALMER, nearest_right_words
from dermascan_core.triage.wording import Voice, class_name

from . import measures
from .measured_charts import Interval, interval_chart
from .measured_table import show_chart, show_nothing_yet, show_table

_TYPES = {"dermoscopic": "Photos taken with a dermatoscope", "clinical": "Photos of a phone or camera"}
_SIDES = {"above": "at or above its line", "below": "below its line"}
_LEVELS = {"none": "none", "some": "some, less than half", "most": "half or more"}


def show_retrieval(retrieval: Mapping[str, Any] | None, name: str, voice: Voice) -> None:
    """Show what ``cases build`` measured of a model."""
    st.header("Similar labelled photos")
    st.markdown(
        "Beside its answer a result shows labelled photos of the archive that the network finds most like the one looked "
        "at. Here is how often those photos carry the right label, for photos that are not in the index themselves."
    )
    if retrieval is None:
        show_nothing_yet(
            "no index of labelled photos was measured for this model.", f"cases build {name} --data ham10000 --test"
        )
        return
    about = retrieval["index"]
    measured_on = "test photos" if retrieval["measured_on"] == "test" else "the fold that validated the network"
    st.caption(
        f"Measured on {measured_on}. The index holds {about['n_photos']:,} photos of {about['n_lesions']:,} spots, each as "
        f"{about['n_dimensions']} numbers; {about['k']} are shown, one a spot. Intervals hold 95 %, whole lesions drawn."
    )
    if not retrieval["is_the_models_split"]:
        st.warning("Measured with another split than the model's own: the figures may be too good.")
    for kind, measured in retrieval["types"].items():
        _show_type(kind, measured, retrieval["measured_on"], voice)
    _show_choice(retrieval["choice"], about)


def _show_type(kind: str, measured: Mapping[str, Any], measured_on: str, voice: Voice) -> None:
    st.subheader(_TYPES.get(kind, kind))
    st.markdown(f"**{measured['n']:,}** photos of **{measured['n_lesions']:,}** spots.")
    words = nearest_right_words(measured, measured_on)
    if words:
        st.markdown(words)
    k, summary = measured["k"], measured["summary"]
    lines = {
        "precision_at_1": "Nearest photo has the right label",
        f"precision_at_{k}": f"Right labels among the {k} shown",
        f"macro_precision_at_{k}": "The same, mean over classes",
        "any_right": f"One or more of the {k} right",
        "vote_balanced_accuracy": "Balanced accuracy of their vote",
        "network_balanced_accuracy": "Balanced accuracy of the network",
    }
    intervals = [
        Interval(label, one["value"], one["low"], one["high"], is_marked=name.startswith("network"))
        for name, label in lines.items()
        if (one := summary.get(name)) and one["value"] is not None
    ]
    show_chart(
        interval_chart({"measured": intervals}, x_title="percent, with its 95 % interval", in_percent=True),
        key=f"similar_{kind}",
        alt="How often similar photos carry the right label, with intervals",
    )
    st.caption("Orange: the network itself, for comparison. The vote adds up the similarities of each label.")
    show_table(
        [
            {
                "class": class_name(code, voice),
                "photos": own["n"],
                **{
                    f"right among the nearest {depth}": measures.with_interval(
                        own.get(f"precision_at_{depth}"), digits=2
                    )
                    for depth in measured["depths"]
                },
                f"one or more of {k} right": measures.with_interval(own.get("any_right"), digits=2),
            }
            for code, own in measured["classes"].items()
            if own["n"]
        ],
        key=f"similar_classes_{kind}",
        file_name=f"similar-{kind}",
    )
    if measured["beside_network"]:
        _show_beside(measured, kind)


def _show_beside(measured: Mapping[str, Any], kind: str) -> None:
    st.markdown(f"**Do they know something that the network does not?** {NEVER_CALMER}")
    show_table(
        [
            {
                "network": _SIDES[row["network"]],
                f"cancer or pre-cancer among the {measured['k']} shown": _LEVELS[row["neighbours"]],
                "photos": row["n"],
                "of these cancer or pre-cancer": row["n_malignant"],
                "share": measures.with_interval(row["malignant_share"], digits=2),
            }
            for row in measured["beside_network"]
        ],
        key=f"similar_beside_{kind}",
        file_name=f"similar-beside-{kind}",
    )


def _show_choice(choice: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    with st.expander("How the numbers of neighbours and dimensions were chosen", icon=":material/tune:"):
        st.markdown(
            f"By the {choice['by']}, {choice['n']:,} photos ({choice['image_type']}), each without the photos of its own "
            f"spot: the fewest dimensions, then the fewest neighbours, within {choice['tolerance']:.2f} of the best."
        )
        show_table(
            [
                {
                    "dimensions": row["n_dimensions"],
                    "neighbours": row["k"],
                    "balanced accuracy of the vote": row["vote_balanced_accuracy"],
                    "chosen": "yes" if (row["n_dimensions"], row["k"]) == (about["n_dimensions"], about["k"]) else "",
                }
                for row in choice["rows"]
            ],
            key="similar_choice",
            file_name="similar-choice",
        )
