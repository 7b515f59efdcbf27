"""Error analysis over several models' answers to the same photos: which of them agree, and which agree wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import TableError
from ..tables import read_table
from ..taxonomy import HAM_CODES, ham_code
from . import weighted
from .intervals import N_RESAMPLES, SEED, bootstrap, none_if_nan
from .metrics import confusion_matrix, normalise_rows

SCHEMA = 1
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class ReadPredictions:
    """What ``evaluate`` wrote about the photos whose diagnosis is known.

    Attributes:
        name: Of the model, or of the folder.
        image_ids: n_samples names.
        groups: The lesion, or the photo where none is named.
        y_true: Index into ``HAM_CODES``, shape (n_samples,).
        y_pred: Index of the class shown first.
        y_prob: Array (n_samples, 7).
    """

    name: str
    image_ids: tuple[str, ...]
    groups: tuple[str, ...]
    y_true: npt.NDArray[np.intp]
    y_pred: npt.NDArray[np.intp]
    y_prob: npt.NDArray[np.float64]


def read_predictions(path: Path, *, name: str = "") -> ReadPredictions:
    """Read a ``predictions.csv``; photos without an answer or a diagnosis are left out.

    Args:
        path: The file.
        name: Of the model; where none is given, the folder's name, with the model's for a shipped evaluation.

    Raises:
        TableError: If it is no such file, or no photo has both an answer and a diagnosis.
    """
    rows = read_table(path, what=f"'{path}'")
    needed = ["image_id", "dx", "predicted", *(f"p_{code}" for code in HAM_CODES)]
    if lacking := [column for column in needed if column not in rows[0]]:
        raise TableError(
            f"Expected a predictions.csv that `evaluate` wrote at '{path}'. It lacks: {', '.join(lacking)}. "
            "Name another file."
        )
    rows = [row for row in rows if row["predicted"] and row["dx"]]
    if not rows:
        raise TableError(f"Expected photos with an answer and a diagnosis in '{path}'. There are none.")
    index = {code: i for i, code in enumerate(HAM_CODES)}
    try:
        return ReadPredictions(
            name=name or _name_of(path),
            image_ids=tuple(row["image_id"] for row in rows),
            groups=tuple(row.get("lesion_id") or row["image_id"] for row in rows),
            y_true=np.array([index[ham_code(row["dx"])] for row in rows], np.intp),
            y_pred=np.array([index[row["predicted"]] for row in rows], np.intp),
            y_prob=np.array([[float(row[f"p_{code}"]) for code in HAM_CODES] for row in rows]),
        )
    except (KeyError, ValueError) as error:
        raise TableError(f"'{path}' holds a value that `evaluate` does not write: {error}. Evaluate again.") from error


def _name_of(path: Path) -> str:
    folder, above = path.resolve().parent.name, path.resolve().parent.parent.name
    return f"{above.removesuffix('.evaluation')} {folder}" if above.endswith(".evaluation") else folder


def compare_predictions(
    predictions: Sequence[ReadPredictions], *, n_resamples: int = N_RESAMPLES, seed: int = SEED
) -> dict[str, Any]:
    """Compare models on the photos that all of them answered.

    Args:
        predictions: One entry a model; one alone is analysed by itself.
        n_resamples, seed: Of the bootstrap over lesions.

    Returns:
        ``models`` (name, accuracy, balanced_accuracy, confusion), ``classes`` (how many photos of a class no model,
        some, every model gets wrong, and what they take them for), ``pairs`` (how often two models say the same, and
        are wrong together), ``agree_wrong`` (the photos every model gets wrong with one and the same class, the most
        confident first) and ``mistakes`` (every wrong answer that some model is sure of).

    Raises:
        TableError: If no photo is common to all, or two files contradict each other about a diagnosis.
    """
    common = _common(predictions)
    names = _unique_names(predictions)
    y_true, groups = common[0].y_true, common[0].groups
    y_pred = np.stack([one.y_pred for one in common])  # (n_models, n_samples)
    n_wrong = (y_pred != y_true).sum(axis=0)
    is_same = (y_pred == y_pred[0]).all(axis=0)
    by_all = n_wrong == len(common)
    measures: dict[tuple[str, ...], weighted.Measure] = {}
    for name, one in zip(names, common, strict=True):
        measures["models", name, "accuracy"] = weighted.share(one.y_pred == y_true)
        measures["models", name, "balanced_accuracy"] = weighted.balanced_accuracy(
            y_true, one.y_pred, n_classes=len(HAM_CODES)
        )
    for k, code in enumerate(HAM_CODES):
        measures["classes", code, "wrong_by_all"] = weighted.share(by_all, y_true == k)
        measures["classes", code, "same_wrong_class"] = weighted.share(by_all & is_same, y_true == k)
    for a, b in combinations(range(len(common)), 2):
        pair = f"{names[a]} | {names[b]}"
        measures["pairs", pair, "same_class"] = weighted.share(y_pred[a] == y_pred[b])
        measures["pairs", pair, "both_wrong"] = weighted.share((y_pred[a] != y_true) & (y_pred[b] != y_true))
        measures["pairs", pair, "same_wrong_class"] = weighted.share((y_pred[a] == y_pred[b]) & (y_pred[a] != y_true))
    estimates = {
        key: estimate.to_dict()
        for key, estimate in bootstrap(measures, groups, n_resamples=n_resamples, seed=seed).items()
    }
    return {
        "schema": SCHEMA,
        "n": len(y_true),
        "n_left_out": [len(one.image_ids) - len(y_true) for one in predictions],
        "models": [
            {"name": name, **_of(estimates, "models", name), "confusion": _confusion(y_true, one.y_pred)}
            for name, one in zip(names, common, strict=True)
        ],
        "classes": [
            _class_row(code, y_true == k, y_pred, n_wrong) | _of(estimates, "classes", code)
            for k, code in enumerate(HAM_CODES)
        ],
        "pairs": [
            {"models": [names[a], names[b]], **_of(estimates, "pairs", f"{names[a]} | {names[b]}")}
            for a, b in combinations(range(len(common)), 2)
        ],
        "agree_wrong": _cases(common, names, np.flatnonzero(by_all & is_same)),
        "mistakes": _cases(common, names, np.flatnonzero(n_wrong > 0)),
    }


def _common(predictions: Sequence[ReadPredictions]) -> list[ReadPredictions]:
    """Return the rows that all have, in the first one's order."""
    places = [{image_id: i for i, image_id in enumerate(one.image_ids)} for one in predictions]
    shared = [image_id for image_id in predictions[0].image_ids if all(image_id in own for own in places)]
    if not shared:
        raise TableError("Expected photos that every file answers. There are none. Compare files of one data set.")
    taken = []
    for one, own in zip(predictions, places, strict=True):
        rows = np.array([own[image_id] for image_id in shared])
        taken.append(
            ReadPredictions(
                one.name,
                tuple(shared),
                tuple(one.groups[i] for i in rows),
                one.y_true[rows],
                one.y_pred[rows],
                one.y_prob[rows],
            )
        )
    for one in taken[1:]:
        differs = np.flatnonzero(one.y_true != taken[0].y_true)
        if len(differs):
            raise TableError(
                f"Expected one diagnosis for each photo. '{shared[differs[0]]}' has another in '{one.name}' than in "
                f"'{taken[0].name}'. Compare files of one labels table."
            )
    return taken


def _unique_names(predictions: Sequence[ReadPredictions]) -> list[str]:
    counts = Counter(one.name for one in predictions)
    return [one.name if counts[one.name] == 1 else f"{one.name} {i + 1}" for i, one in enumerate(predictions)]


def _of(estimates: Mapping[tuple[str, ...], Any], *place: str) -> dict[str, Any]:
    return {key[-1]: estimate for key, estimate in estimates.items() if key[:-1] == place}


def _confusion(y_true: npt.NDArray[np.intp], y_pred: npt.NDArray[np.intp]) -> dict[str, Any]:
    counts = confusion_matrix(y_true, y_pred, n_classes=len(HAM_CODES))
    shares = [[none_if_nan(value) for value in row] for row in normalise_rows(counts)]
    return {"codes": list(HAM_CODES), "counts": counts.tolist(), "row_normalised": shares}


def _class_row(
    code: str, is_class: npt.NDArray[np.bool_], y_pred: npt.NDArray[np.intp], n_wrong: npt.NDArray[np.intp]
) -> dict[str, Any]:
    taken_for = Counter(HAM_CODES[k] for k in y_pred[:, is_class].ravel())
    return {
        "dx": code,
        "n": int(is_class.sum()),
        "n_wrong_by": [int((n_wrong[is_class] == n).sum()) for n in range(len(y_pred) + 1)],
        "taken_for": {k: n / len(y_pred) for k, n in taken_for.most_common() if k != code},
    }


def _cases(
    common: Sequence[ReadPredictions], names: Sequence[str], places: npt.NDArray[np.intp]
) -> list[dict[str, Any]]:
    """List photos, the most confident mistake first."""
    y_true = common[0].y_true
    sure = np.zeros((len(common), len(y_true)))
    for row, one in zip(sure, common, strict=True):
        shown = one.y_prob[np.arange(len(y_true)), one.y_pred]
        row[:] = np.where(one.y_pred != y_true, shown, 0)
    order = places[np.argsort(-sure.max(axis=0)[places], kind="stable")][:MAX_LISTED]
    return [
        {
            "image_id": common[0].image_ids[i],
            "lesion_id": common[0].groups[i],
            "dx": HAM_CODES[y_true[i]],
            "predicted": {name: HAM_CODES[one.y_pred[i]] for name, one in zip(names, common, strict=True)},
            "p_predicted": {
                name: round(float(one.y_prob[i, one.y_pred[i]]), 6) for name, one in zip(names, common, strict=True)
            },
            "n_wrong": int(sum(one.y_pred[i] != y_true[i] for one in common)),
        }
        for i in order
    ]


def describe_agreement(compared: Mapping[str, Any]) -> list[str]:
    """Return the lines that the command prints."""
    n_models = len(compared["models"])
    lines = [f"{compared['n']} photos answered by {n_models} model{'s' if n_models > 1 else ''}."]
    lines += [
        f"  {one['name']}: accuracy {one['accuracy']['value']:.1%}, balanced {one['balanced_accuracy']['value']:.1%}"
        for one in compared["models"]
    ]
    lines.append("Wrong by every model (and by all with one and the same class), by diagnosis:")
    for row in compared["classes"]:
        if row["n"]:
            most = ", ".join(f"{code} {n:g}" for code, n in list(row["taken_for"].items())[:3]) or "nothing else"
            lines.append(
                f"  {row['dx']}: {row['n_wrong_by'][-1]} of {row['n']} ({row['wrong_by_all']['value']:.1%}; "
                f"{row['same_wrong_class']['value']:.1%}); taken for: {most}"
            )
    return lines
