"""What a smaller network loses: each variant against the float32 one, photo by photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..domain import Status
from ..tables import group_of
from .engine_agreement import measure_agreement
from .intervals import N_RESAMPLES, SEED, bootstrap, none_if_nan
from .metrics import of_sample
from .report import measures_of
from .results import PhotoResult, make_table
from .weighted import Measure, Values, Weights

QUALITY = ("macro_auc", "malignant_auc", "balanced_accuracy", "sensitivity_at_threshold", "specificity_at_threshold")


def measure_loss(
    reference: Sequence[PhotoResult],
    other: Sequence[PhotoResult],
    *,
    n_resamples: int = N_RESAMPLES,
    seed: int = SEED,
) -> dict[str, Any]:
    """Measure a variant's answers, and how much worse they are than those of the network it was made from.

    Args:
        reference: Results of the float32 network; labelled, some answered.
        other: Of the variant, for the same photos in the same order.
        n_resamples, seed: Of the bootstrap: whole lesions are drawn, the same ones for both.

    Returns:
        ``quality`` (measure -> value), ``loss`` (measure -> ``value``, ``low``, ``high``: reference less variant, so above 0
        is worse), ``agreement`` (see ``measure_agreement``) and ``n_refused``, photos that get no class. An undefined measure
        is None.

    Raises:
        ValueError: If the photos differ.
    """
    agreement = measure_agreement(reference, other)
    before, after = (_quality_measures(results) for results in (reference, other))
    groups = [group_of(result.photo) for result in make_table(reference).results]
    losses = {name: _difference(before[name], after[name]) for name in QUALITY if name in before}
    estimates = bootstrap(losses, groups, n_resamples=n_resamples, seed=seed)
    return {
        "quality": {name: none_if_nan(of_sample(after[name], len(groups))) for name in losses},
        "loss": {name: estimate.to_dict() for name, estimate in estimates.items()},
        "agreement": agreement,
        "n_refused": sum(result.status is Status.REFUSED for result in other),
    }


def _quality_measures(results: Sequence[PhotoResult]) -> dict[str, Measure]:
    measures = measures_of(make_table(results))
    return {name: measures["summary", name] for name in QUALITY if ("summary", name) in measures}


def _difference(one: Measure, other: Measure) -> Measure:
    def difference(weights: Weights) -> Values:
        return one(weights) - other(weights)

    return difference
