"""How good the similar labelled photos are: how often the nearest ones carry the right label, and what they add."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..domain import Neighbour, Prediction
from ..tables import LabelledPhoto, group_of
from ..taxonomy import HAM_CODES, HAM_MALIGNANT, ham_code
from . import weighted
from .intervals import LEVEL, N_RESAMPLES, SEED, bootstrap

SCHEMA = 1
RETRIEVAL_FOLDER = "similar-cases"
RETRIEVAL_FILE = "retrieval.json"
DEPTHS = (1, 5)  # precision is told at these depths and at the k that is shown
# How much of the similar photos shows cancer or pre-cancer, in words of the files.
LEVELS = ("none", "some", "most")
_MALIGNANT = np.array([code in HAM_MALIGNANT for code in HAM_CODES])


@dataclass(frozen=True, slots=True)
class Query:
    """A labelled photo that was looked up among others.

    Attributes:
        photo: Its row of the labels table; its diagnosis is known.
        neighbours: What was found, the nearest first, at least as many as the deepest depth where there are so many.
        prediction: What the network says of it; None where it was not asked.
    """

    photo: LabelledPhoto
    neighbours: tuple[Neighbour, ...]
    prediction: Prediction | None = None


def vote(neighbours: Sequence[Neighbour]) -> str:
    """Return the HAM10000 code with the largest sum of similarities: the label that most of the photos carry.

    A negative similarity counts as none; on a tie the nearer photo's label wins.

    >>> vote([Neighbour("a", "A", "mel", 0.9), Neighbour("b", "B", "nv", 0.5), Neighbour("c", "C", "nv", 0.5)])
    'nv'
    """
    sums = dict.fromkeys([one.dx for one in neighbours], 0.0)
    for one in neighbours:
        sums[one.dx] += max(one.similarity, 0.0)
    return max(sums, key=lambda code: sums[code])


def malignant_level(neighbours: Sequence[Neighbour]) -> str:
    """Return whether none, some, or most (half or more) of the photos show cancer or pre-cancer.

    >>> malignant_level([Neighbour("a", "A", "mel", 0.9), Neighbour("b", "B", "nv", 0.5)])
    'most'
    """
    n = sum(one.dx in HAM_MALIGNANT for one in neighbours)
    return "none" if not n else "most" if 2 * n >= len(neighbours) else "some"


def vote_score(queries: Sequence[Query], k: int) -> float:
    """Return the balanced accuracy of the vote of ``k`` neighbours, in [0, 1]; what ``k`` is chosen by."""
    measure = weighted.balanced_accuracy(_truth(queries), _voted(queries, k), n_classes=len(HAM_CODES))
    return float(measure(np.ones((1, len(queries))))[0])


def measure_retrieval(
    queries: Sequence[Query], *, k: int, n_resamples: int = N_RESAMPLES, seed: int = SEED
) -> dict[str, Any]:
    """Measure what the neighbours say of labelled photos; the keys are in docs/evaluation.md.

    Args:
        queries: One a photo, each with a neighbour or more.
        k: How many are shown.
        n_resamples, seed: Of the bootstrap over lesions (or patients).

    Returns:
        Plain data, ready for JSON; None stands for what is undefined.
    """
    y_true, groups = _truth(queries), [group_of(query.photo) for query in queries]
    depths = sorted({*DEPTHS, k})
    right = {depth: _share_right(queries, y_true, depth) for depth in depths}
    any_right = _share_right(queries, y_true, k) > 0
    measures: dict[tuple[str, ...], weighted.Measure] = {}
    for depth in depths:
        # The nearest one is right or wrong: a share of cases, with an exact interval where it is all or none.
        values = right[depth] > 0 if depth == 1 else right[depth]
        measures |= _each_class(f"precision_at_{depth}", values, y_true)
    measures |= _each_class("any_right", any_right, y_true)
    n_classes = len(HAM_CODES)
    measures["summary", "vote_accuracy"] = weighted.share(_voted(queries, k) == y_true)
    measures["summary", "vote_balanced_accuracy"] = weighted.balanced_accuracy(
        y_true, _voted(queries, k), n_classes=n_classes
    )
    if all(query.prediction for query in queries):
        shown = np.array([HAM_CODES.index(q.prediction.predicted) for q in queries if q.prediction])
        measures["summary", "network_accuracy"] = weighted.share(shown == y_true)
        measures["summary", "network_balanced_accuracy"] = weighted.balanced_accuracy(
            y_true, shown, n_classes=n_classes
        )
    cells = _cells(queries, k)
    for (side, level), members in cells.items():
        measures["beside", side, level] = weighted.share(_MALIGNANT[y_true], members)
    estimates = bootstrap(measures, groups, n_resamples=n_resamples, seed=seed)
    return {
        "n": len(queries),
        "n_lesions": len(set(groups)),
        "n_malignant": int(_MALIGNANT[y_true].sum()),
        "k": k,
        "depths": depths,
        "intervals": {"level": LEVEL, "n_resamples": n_resamples, "seed": seed},
        "summary": {key[1]: one.to_dict() for key, one in estimates.items() if key[0] == "summary"},
        "classes": {
            code: {"n": int((y_true == i).sum())}
            | {key[2]: one.to_dict() for key, one in estimates.items() if key[:2] == ("classes", code)}
            for i, code in enumerate(HAM_CODES)
        },
        "beside_network": [
            {
                "network": side,
                "neighbours": level,
                "n": int(members.sum()),
                "n_malignant": int(_MALIGNANT[y_true[members]].sum()),
                "malignant_share": estimates["beside", side, level].to_dict(),
            }
            for (side, level), members in cells.items()
        ],
    }


def similarity_quantiles(queries: Sequence[Query]) -> dict[str, float]:
    """Return the 5 %, 25 % and 50 % quantiles of the nearest neighbour's similarity: what is usual for a photo."""
    nearest = [query.neighbours[0].similarity for query in queries if query.neighbours]
    return {str(q): round(float(np.quantile(nearest, q / 100)), 4) for q in (5, 25, 50)}


def describe_retrieval(measured: Mapping[str, Any]) -> list[str]:
    """Return what was measured as lines for a terminal."""
    k, summary = measured["k"], measured["summary"]
    words = {
        "precision_at_1": "nearest photo has the right label",
        f"precision_at_{k}": f"share of the {k} nearest with the right label",
        f"macro_precision_at_{k}": "the same, mean over classes",
        "any_right": f"at least one of the {k} has the right label",
        "vote_balanced_accuracy": f"balanced accuracy of the vote of {k}",
        "network_balanced_accuracy": "balanced accuracy of the network itself",
    }
    return [
        f"{text}: {one['value']:.3f}" + ("" if one["low"] is None else f" ({one['low']:.3f} to {one['high']:.3f})")
        for name, text in words.items()
        if (one := summary.get(name)) and one["value"] is not None
    ]


def _truth(queries: Sequence[Query]) -> npt.NDArray[np.intp]:
    return np.array([HAM_CODES.index(ham_code(query.photo.dx)) for query in queries], np.intp)


def _voted(queries: Sequence[Query], k: int) -> npt.NDArray[np.intp]:
    return np.array([HAM_CODES.index(vote(query.neighbours[:k])) for query in queries], np.intp)


def _share_right(queries: Sequence[Query], y_true: npt.NDArray[np.intp], depth: int) -> npt.NDArray[np.float64]:
    """Return, for each photo, the share of its nearest ``depth`` neighbours that carry its own label."""
    return np.array(
        [
            np.mean([one.dx == HAM_CODES[true] for one in query.neighbours[:depth]])
            for query, true in zip(queries, y_true, strict=True)
        ]
    )


def _each_class(
    name: str, values: npt.NDArray[Any], y_true: npt.NDArray[np.intp]
) -> dict[tuple[str, ...], weighted.Measure]:
    by_class = [weighted.share(values, y_true == i) for i in range(len(HAM_CODES))]
    return {
        ("summary", name): weighted.share(values),
        ("summary", f"macro_{name}"): weighted.mean_of(by_class),
        **{("classes", code, name): measure for code, measure in zip(HAM_CODES, by_class, strict=True)},
    }


def _cells(queries: Sequence[Query], k: int) -> dict[tuple[str, str], npt.NDArray[np.bool_]]:
    """Return which photos lie above or below the network's line, with none, some or most neighbours malignant."""
    if not all(query.prediction for query in queries):
        return {}
    is_above = np.array([bool(q.prediction and q.prediction.is_above_threshold) for q in queries])
    level = np.array([malignant_level(query.neighbours[:k]) for query in queries])
    return {
        (side, one): np.asarray((is_above == (side == "above")) & (level == one))
        for side in ("above", "below")
        for one in LEVELS
    }
