"""The measured variants of a model in words: lines for a terminal, and the page docs/compression.md."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..model.litert_file import EDGE_TPU_OPERATORS

_MEASURES = {"macro_auc": "macro AUC", "malignant_auc": "malignant AUC", "balanced_accuracy": "balanced accuracy"}
# A photo whose next step moves is a person who is told something else; an AUC hides it.
_COUNTS = {
    "n_next_steps_differing": "next step",
    "n_above_threshold_differing": "side of the threshold",
    "n_first_class_differing": "class first",
}


def describe_compression(measured: Mapping[str, Any]) -> list[str]:
    """Return what a terminal shows."""
    n_photos = measured["data"]["n_photos"]
    lines = [f"{n_photos} photos of {measured['data']['of']}, {measured['data']['n_malignant']} malignant."]
    for row in measured["rows"]:
        quality = ", ".join(f"{words} {_number(row['quality'].get(name))}" for name, words in _MEASURES.items())
        agreement = row["agreement"]
        lines.append(
            f"{row['name']:18} {_mb(row['size_bytes'])} MB, zipped {_mb(row['zipped_bytes'])} MB, {row['ms_a_photo']:.0f} ms; "
            f"{quality}; {agreement['n_next_steps_differing']} next steps differ"
        )
    return lines


def render_page(measured: Mapping[str, Any]) -> str:
    """Return docs/compression.md."""
    data, model = measured["data"], measured["model"]
    parts = [
        "# Smaller networks: what each loses",
        "Written by `python -m dermascan_core compress --page docs/compression.md`; do not edit by hand.",
        f"Model {model['name']} {model['version']}, weights {str(model['sha256'])[:12]}. {data['n_photos']} photos "
        f"({data['n_malignant']} malignant) of the {data['n_in_fold']} of {data['of']}; no test photo was looked at. Each "
        f"answer is the mean of {data['n_views']} views, as in the app. Temperature, threshold and sets stay those of the "
        "float32 network: a variant is the same product with other arithmetic, not a model calibrated anew. The answer "
        "without metadata, which can raise a next step, comes from the head in float32 in every row.",
        "## Size and speed",
        "Zipped is what an app's package adds. Milliseconds are for one photo with all its views, all variants taking turns in "
        "one run on one machine: compare rows, not machines. The pruned and clustered rows run the same arithmetic as float32, and the "
        "int8 rows the same as each other: how far these differ is the noise of the clock, and nothing smaller means anything.",
        _table(
            ("variant", "what was done", "MB", "zipped MB", "ms a photo"), [_size_row(row) for row in measured["rows"]]
        ),
        "## Quality, and what is lost against float32",
        "In brackets the loss against float32 with its 95 % interval, the same lesions drawn for both: above 0 is worse. An "
        "interval around 0 says that this many photos show no loss, not that there is none.",
        _table(("variant", *_MEASURES.values()), [_quality_row(row) for row in measured["rows"]]),
        "## Photos that are told something else",
        f"Of {data['n_photos']} photos, how many differ from float32, and the largest difference of a probability. Refused "
        "photos get no class: the gate was fitted on the float32 network's features, and where a variant's features drift away it "
        "says that it does not know such photos, which moves their next step too.",
        _table(
            ("variant", *_COUNTS.values(), "largest difference", "refused"),
            [_count_row(row) for row in measured["rows"]],
        ),
        "## What follows",
        *_findings(measured),
        "## What was not done",
        "- No variant was trained further. Pruned and clustered networks usually win back much of what they lose by some "
        "epochs of training with the zeros held; quantisation-aware training does the same for 8 bits. Both need the training "
        "set, hours and a second validation, and tfmot, the library for it, does not install beside these pins.\n"
        "- Zeros make a file smaller when it is zipped, not when it runs: LiteRT multiplies by zero as by any number. Only the "
        "milliseconds above count.\n"
        "- Kernels were pruned and clustered after batch normalisation was folded into them, since those are the numbers that "
        "run, each channel scaled to a largest weight of 1: without that, whole channels with small numbers are lost. A kernel "
        "is large from "
        f"{data['large_kernel']} weights a channel; smaller ones (depthwise, the first layers) are few, and the rows that end in *every* show that they cannot spare any.\n"
        "- No phone, microcontroller or Edge TPU was at hand. The times are of a desktop processor.",
    ]
    return "\n\n".join(parts) + "\n"


def _findings(measured: Mapping[str, Any]) -> list[str]:
    """Say what the figures say, and nothing where the rows are missing."""
    rows = {row["name"]: row for row in measured["rows"]}
    found = []
    if {"float16", "float32"} <= set(rows):
        half = rows["float16"]
        found.append(
            f"- **float16** takes {_share(half, rows['float32'])} of the space; {_moved(half)} of next steps move."
        )
    if {"int8", "int8, nearest"} <= set(rows):
        kept, nearest = rows["int8"], rows["int8, nearest"]
        found.append(
            f"- **int8** takes {_share(kept, rows['float32'])}. Rounded tap by tap, {_moved(nearest)} of next steps move and a "
            f"probability differs by {_mean(nearest)} on average; with each depthwise kernel's sum kept it is {_moved(kept)} "
            f"and {_mean(kept)}. Edge-finding kernels have large taps that nearly cancel; rounded one by one they no longer "
            "do, and plain skin looks like an edge. Showing the quantiser more photos is no cure"
            + (f" ({_mean(rows['int8, nearest, 4x'])})." if "int8, nearest, 4x" in rows else ".")
        )
    if "integer" in rows:
        whole = rows["integer"]
        found.append(
            f"- **integer**, for chips without floats: {_moved(whole)} of next steps move. {_operator_words(whole['operators'])}"
        )
    found.append(
        "- The app answers with float32. A variant that moves a next step never answers unasked "
        "([decision 35](decisions/0035-litert-answers.md))."
    )
    return ["\n".join(found)]


def _operator_words(found: Mapping[str, int]) -> str:
    """Say which operators a chip's compiler must know."""
    listed = ", ".join(f"{name} ({n})" for name, n in found.items())
    if unlisted := sorted(set(found) - EDGE_TPU_OPERATORS):
        return (
            f"Its operators: {listed}. Not on the published list of what an Edge TPU's compiler accepts: {', '.join(unlisted)}; "
            "these and all that follows them would run on the processor. No Edge TPU was tried."
        )
    return (
        f"Its operators: {listed}. All are on the published list of what an Edge TPU's compiler accepts, each under conditions of "
        "its own. No Edge TPU was tried."
    )


def _share(row: Mapping[str, Any], whole: Mapping[str, Any]) -> str:
    return f"{row['size_bytes'] / whole['size_bytes']:.0%}"


def _moved(row: Mapping[str, Any]) -> str:
    agreement = row["agreement"]
    return f"{agreement['n_next_steps_differing'] / agreement['n_photos']:.1%}"


def _mean(row: Mapping[str, Any]) -> str:
    return f"{row['agreement']['mean_probability_difference']:.4f}"


def _size_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["name"], row["what"], _mb(row["size_bytes"]), _mb(row["zipped_bytes"]), f"{row['ms_a_photo']:.0f}"


def _quality_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["name"], *(_with_loss(row, name) for name in _MEASURES)


def _count_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    agreement = row["agreement"]
    largest = f"{agreement['max_probability_difference']:.2g}"
    return row["name"], *(str(agreement[name]) for name in _COUNTS), largest, str(row["n_refused"])


def _with_loss(row: Mapping[str, Any], name: str) -> str:
    value, loss = row["quality"].get(name), row["loss"].get(name)
    if (
        loss is None
        or loss["value"] is None
        or loss["low"] is None
        or row["agreement"]["max_probability_difference"] == 0
    ):
        return _number(value)
    return f"{_number(value)} ({loss['value']:+.3f}: {loss['low']:+.3f} to {loss['high']:+.3f})"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.1f}"


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
