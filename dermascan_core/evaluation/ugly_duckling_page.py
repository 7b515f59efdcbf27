"""The measured mole comparison in words: lines for a terminal, and the page docs/ugly-duckling.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .ugly_duckling import ORDERS

MEASURES: dict[str, str] = {
    "mean_rank": "mean place (0 first, 1 last)",
    "top_1": "first",
    "top_3": "among the first 3",
    "top_10_percent": "in the first tenth",
}


def describe_ugly_duckling(measured: Mapping[str, Any]) -> list[str]:
    """Return what a terminal shows."""
    lines = []
    for row in measured["rows"]:
        lines.append(
            f"People with {row['min_lesions']} lesions or more: {row['n_people']} people, {row['n_lesions']} lesions, "
            f"{row['n_melanoma']} melanomas."
        )
        if row["n_melanoma"]:
            lines += [f"  {line}" for line in _terminal_rows(row)]
    return lines


def _terminal_rows(row: Mapping[str, Any]) -> list[str]:
    shown = [f"{'by chance':14}" + "".join(f"{name} {_number(row['chance'][name])}  " for name in MEASURES)]
    return shown + [
        f"{order:14}" + "".join(f"{name} {_interval(row['measures'][order][name])}  " for name in MEASURES)
        for order in ORDERS
    ]


def render_page(measured: Mapping[str, Any]) -> str:
    """Return docs/ugly-duckling.md."""
    data, model = measured["data"], measured["model"]
    parts = [
        "# Ugly duckling: is the odd one out the melanoma?",
        "Written by `python -m dermascan_core ugly-duckling --page docs/ugly-duckling.md`; do not edit by hand.",
        "*Compare your moles* ranks one person's moles by how much each differs from the others. This page says how often "
        "that put a melanoma first, for people whose moles were photographed and whose melanomas are known, and how often "
        "the network's own probability did.",
        "## The people",
        f"{data['n_people']} of {data['n_people_in_table']} people have a melanoma and three lesions or more: "
        f"{data['n_lesions']} lesions, {data['n_melanoma']} of them melanoma, each photographed once. The quality gate "
        f"would refuse {data['n_refused']} of the photos ({data['n_refused_melanoma']} melanomas); they are ranked here, "
        f"where the page would list them as not judged. In {data['n_without_lesion']} photos no lesion stood out, so only "
        "the pictures were compared. "
        f"Model {model['name']} {model['version']}, views averaged {model['n_views']}, weights {str(model['sha256'])[:12]}, "
        + ("told age, sex and place." if data["use_metadata"] else "told nothing about the person."),
        "## How it ranks",
        "Fixed before any melanoma was looked at, but for one thing: of three moles each was compared with both others at first, "
        "which made all three equal; it is compared with the nearer one since.",
        "- **ugly duckling**: the network's embedding of each photo, and ten traits of the lesion (lightness, redness and "
        "yellowness, the same against the skin around it, variety of colours, size in the photo, asymmetry, border). Traits "
        "become robust z-scores within the person (median and median absolute deviation). The local outlier factor of both "
        "together, half and half, ranks; half of the person's moles are the neighbours, 1 to 10.\n"
        "- **network alone**: `p_malignant`, or `p_mel`.\n"
        "- **both**: the mean of the ranks by ugly duckling and by `p_malignant`.",
        "A melanoma's place is among its owner's other lesions, known cancers left out: 0 is the first, 1 the last, so 1 less the mean "
        "place is the area under the ROC curve within a person. Intervals hold 95 %, from resamples of whole people.",
        *(_section(row) for row in measured["rows"]),
        "## What it does not say",
        "- These are very few people and melanomas. Where intervals overlap as widely as here, nothing says that one order is "
        "better than another; the app shows both and lets neither lower the other.\n"
        "- The archive's photos (ISIC 2020) were squashed to squares: a round mole became an ellipse, which disturbs size, "
        "asymmetry and border. Photos as they come from a camera keep them; that was not measured.\n"
        "- The photos are dermoscopic and from clinics. Of phone photos, and of brown or black skin, nothing is known.\n"
        "- A person with several melanomas has several odd ones, which may look alike. Then none of them is alone.\n"
        "- Whoever photographs moles chooses them. The archive's choice is not yours.",
    ]
    return "\n\n".join(parts) + "\n"


def _section(row: Mapping[str, Any]) -> str:
    head = f"## People with {row['min_lesions']} lesions or more"
    if not row["n_melanoma"]:
        return f"{head}\n\nNone among these."
    table = [
        "| order | " + " | ".join(MEASURES.values()) + " |",
        "|---|" + "---|" * len(MEASURES),
        "| by lot | " + " | ".join(_number(row["chance"][name]) for name in MEASURES) + " |",
        *(
            f"| {words} | " + " | ".join(_interval(row["measures"][order][name]) for name in MEASURES) + " |"
            for order, words in ORDERS.items()
        ),
    ]
    differences = "; ".join(
        f"{ORDERS[order].partition(':')[0]} {_interval(one, sign='+')}"
        for order in ("ugly_duckling", "combined")
        if (one := row["measures"][order].get("mean_rank_less_network"))
    )
    below = row["below_threshold"]
    return (
        f"{head}\n\n{row['n_people']} people, {row['n_lesions']} lesions, {row['n_melanoma']} melanomas.\n\n"
        + "\n".join(table)
        + f"\n\nMean place less that of the network alone (below 0 is better): {differences}.\n\n"
        f"The network alone put {below['n']} of these melanomas below its line. Of those, the ugly duckling put "
        f"{below['n_top_1']} first and {below['n_top_3']} among the first three."
    )


def _number(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.2f}"


def _interval(one: Mapping[str, float | None], sign: str = "") -> str:
    if one["low"] is None:
        return _number(one["value"], sign)
    return f"{_number(one['value'], sign)} ({_number(one['low'], sign)} to {_number(one['high'], sign)})"
