"""What a model's shipped test says about one answer, and about referring at a clinic's own prevalence."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from ..domain import ImageType, PhotoScreening, Screening, Status
from ..errors import DermaScanError
from ..evaluation.answer_groups import AnswerGroup as AnswerGroup
from ..evaluation.answer_groups import group_answers, own_group, set_of, side_of
from ..evaluation.decision_curve import POLICIES as POLICIES
from ..evaluation.decision_curve import Policy as Policy
from ..evaluation.decision_curve import best_policies as best_policies
from ..evaluation.decision_curve import compare_policies, decision_curve, harm_ratio_of
from ..evaluation.decision_curve import policy_rows as policy_rows
from ..evaluation.evaluate import PREDICTIONS_FILE
from ..evaluation.intervals import Estimate as Estimate
from ..evaluation.referrals import Referrals, read_referrals
from ..model.manifest import Manifest
from ..triage.rules import UNTESTED_SKIN_TYPES
from . import models
from .performance import available_evaluations, load_evaluation

_logger = logging.getLogger(__name__)
# As many as a chart needs; a harm ratio is felt by its factor, so they are spaced so.
HARM_RATIOS = (1, 1.5, 2, 3, 4, 5, 7, 10, 14, 20, 30, 40, 50, 70, 100, 140, 200, 300, 500)


def load_referrals(name: str, which: str, *, weights_dir: Path | None = None) -> tuple[Referrals, float]:
    """Return the measured answers of an evaluation that ships, and the model's own line.

    Args:
        name: Of the model.
        which: One of ``available_evaluations``.
        weights_dir: Folder of the weights; None for the one that ships.

    Raises:
        WeightsError: If there is no such evaluation, or it is of other weights.
        TableError: If its ``predictions.csv`` is missing or damaged, or holds one kind of photo only.
    """
    folder = weights_dir or models.WEIGHTS_DIR
    metrics = load_evaluation(name, which, weights_dir=folder)
    threshold = metrics["malignant"]["operating_point"]["threshold"]
    path = folder / f"{name}.evaluation" / which / PREDICTIONS_FILE
    return _referrals(path, metrics["model"]["sha256"]), float(threshold)


@lru_cache(maxsize=4)  # a page is drawn again at every click; the weights' hash keeps another release's answers out
def _referrals(path: Path, sha256: str) -> Referrals:
    return read_referrals(path)


def answer_groups(
    name: str, which: str = "test", *, sha256: str = "", weights_dir: Path | None = None
) -> Mapping[str, AnswerGroup]:
    """Return the kinds of answers that a shipped evaluation counted; see ``evaluation.answer_groups``.

    Args:
        name: Of the model.
        which: Of the evaluation.
        sha256: Of the weights that answered; where given, an evaluation of other weights counts as none.
        weights_dir: Folder of the weights; None for the one that ships.

    Returns:
        Empty where none ships. A damaged one is logged and counts as none: a result is shown all the same.
    """
    try:
        if which not in available_evaluations(name, weights_dir=weights_dir):
            return {}
        measured = load_evaluation(name, which, weights_dir=weights_dir)["model"]["sha256"]
        referrals, threshold = load_referrals(name, which, weights_dir=weights_dir)
    except DermaScanError as error:
        _logger.warning("No counts of such answers can be shown: %s", error)
        return {}
    return {} if sha256 and measured != sha256 else _groups(referrals, threshold)


@lru_cache(maxsize=4)
def _groups(referrals: Referrals, threshold: float) -> Mapping[str, AnswerGroup]:
    return group_answers(referrals, threshold)


def group_of_answer(screening: Screening, photo: PhotoScreening, manifest: Manifest) -> AnswerGroup | None:
    """Return the test photos that were answered as this one was.

    Without age, sex and site, the test that was told none of them counts, where it ships.

    Returns:
        None where nothing was measured for such a photo: a phone photo, skin of type V or VI, a refused or unsure
        answer, a model without a shipped test of these very weights, or too few such answers in it.
    """
    prediction = photo.prediction
    if (
        prediction is None
        or photo.status is not Status.ANSWERED
        or screening.type_of(photo) is not ImageType.DERMOSCOPIC
        or screening.metadata.fitzpatrick_skin_type in UNTESTED_SKIN_TYPES
    ):
        return None
    groups = groups_for(screening, manifest)
    side, place = side_of(is_above=prediction.is_above_threshold), set_of(prediction.set_90, prediction.set_95)
    return own_group(groups, side=side, place=place)


def groups_for(screening: Screening, manifest: Manifest) -> Mapping[str, AnswerGroup]:
    """Return the kinds of answers in the test that was told as much about the person as was told here."""
    told = screening.metadata
    is_told = (told.age_approx, told.sex, told.anatom_site) != (None, None, None)
    which = ("test",) if is_told else ("test-no-metadata", "test")
    found = (answer_groups(manifest.name, one, sha256=manifest.sha256) for one in which)
    return next((groups for groups in found if groups), {})


def policies_at(name: str, which: str, *, prevalence: float, harm_ratio: float) -> list[Policy]:
    """Return what each way to refer does at a prevalence and a harm ratio; see ``evaluation.decision_curve``."""
    referrals, threshold = load_referrals(name, which)
    return _policies(referrals, threshold, round(prevalence, 6), round(harm_ratio, 6))


@lru_cache(maxsize=64)
def _policies(referrals: Referrals, threshold: float, prevalence: float, harm_ratio: float) -> list[Policy]:
    return compare_policies(referrals, prevalence=prevalence, harm_ratio=harm_ratio, threshold=threshold)


def curve_at(name: str, which: str, *, prevalence: float) -> tuple[Mapping[str, Sequence[Estimate]], float]:
    """Return the net benefit over ``HARM_RATIOS`` at a prevalence, and the harm ratio that the model's line stands for."""
    referrals, threshold = load_referrals(name, which)
    curves = _curve(referrals, threshold, round(prevalence, 6))
    return curves, harm_ratio_of(referrals, threshold, prevalence=prevalence)


@lru_cache(maxsize=32)
def _curve(referrals: Referrals, threshold: float, prevalence: float) -> Mapping[str, Sequence[Estimate]]:
    return decision_curve(referrals, prevalence=prevalence, harm_ratios=HARM_RATIOS, threshold=threshold)
