"""The evaluations that ship with the weights, read for the Model performance page and the command line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..domain import CalmRate
from ..errors import WeightsError
from ..evaluation.agreement import compare_predictions, read_predictions
from ..evaluation.class_draws import draws_per_class
from ..evaluation.comparison import build_comparison
from ..evaluation.comparison import title_of as title_of
from ..evaluation.evaluate import METRICS_FILE, PREDICTIONS_FILE
from ..evaluation.refusals import REFUSALS_FILE
from ..evaluation.refusals import SCHEMA as REFUSALS_SCHEMA
from ..evaluation.repeatability import DEFAULT_LIMIT
from ..evaluation.repeatability_report import REPEATABILITY_FILE
from ..evaluation.repeatability_report import SCHEMA as REPEATABILITY_SCHEMA
from ..evaluation.report import SCHEMA
from ..evaluation.stress_report import SCHEMA as STRESS_SCHEMA
from ..evaluation.stress_report import STRESS_FILE
from ..evaluation.summary import count_calm as count_calm
from ..evaluation.ugly_duckling import DUCKLING_FILE
from ..evaluation.ugly_duckling import SCHEMA as DUCKLING_SCHEMA
from ..model.manifest import Manifest
from ..taxonomy import ham_code
from . import models

_logger = logging.getLogger(__name__)
_UNITS = "frozen_unit"  # folder of what the command frozen-unit measured
_RECIPES = "cross_validation"  # folder of what cross-validate measured of recipes that do not ship as models
_FIRST = ("test", "test-no-metadata", "cross-validation", "cross-validation-no-metadata")
# Share of pictures without a lesion that a model refuses, below which no page lets it answer (docs/decisions/0054).
LEAST_REFUSED = 0.95


def available_evaluations(name: str = models.DEFAULT_MODEL, *, weights_dir: Path | None = None) -> tuple[str, ...]:
    """Return the names of a model's evaluations: ``test`` first, then ``test-no-metadata``, cross-validation, others."""
    folder = _folder(name, weights_dir)
    found = sorted(path.parent.name for path in folder.glob(f"*/{METRICS_FILE}"))
    return (*(which for which in _FIRST if which in found), *(which for which in found if which not in _FIRST))


def load_evaluation(
    name: str = models.DEFAULT_MODEL, which: str = "test", *, weights_dir: Path | None = None
) -> dict[str, Any]:
    """Return what ``evaluate`` wrote; the schema is in docs/evaluation.md.

    Args:
        name: Of the model.
        which: One of ``available_evaluations``.
        weights_dir: Folder of the weights; None for the one that ships.

    Raises:
        WeightsError: If it is missing, damaged, of a schema that this program does not know, or of other weights
            than the manifest beside it names.
    """
    path = _folder(name, weights_dir) / which / METRICS_FILE
    # Names arrive from pages and the command line; none may lead out of the weights folder.
    if Path(name).name != name or Path(which).name != which or not path.is_file():
        found = ", ".join(available_evaluations(name, weights_dir=weights_dir)) or "none"
        raise WeightsError(
            f"Expected an evaluation '{which}' of the model '{name}'. There are: {found}. "
            "Restore the weights folder from the release, or make one with: python -m dermascan_core evaluate --help"
        )
    return _read(path, name, which, SCHEMA, weights_dir)


def load_recipe_folds(*, weights_dir: Path | None = None) -> dict[str, dict[str, Any]]:
    """Return what ``cross-validate`` measured of recipes that do not ship as models: dermoscopic photos, told metadata.

    Returns:
        Name of the recipe's folder -> contents of ``metrics.json``; its recipe stands under ``recipes``.

    Raises:
        WeightsError: If one is damaged or of a schema that this program does not know.
    """
    files = sorted(((weights_dir or models.WEIGHTS_DIR) / _RECIPES).glob(f"*/cross-validation/{METRICS_FILE}"))
    return {path.parents[1].name: _parse(path, path.parents[1].name, "cross-validation", SCHEMA) for path in files}


def _read(path: Path, name: str, which: str, schema: int, weights_dir: Path | None) -> dict[str, Any]:
    metrics = _parse(path, name, which, schema)
    _check_weights(metrics, name, which, weights_dir)
    return metrics


def _parse(path: Path, name: str, which: str, schema: int) -> dict[str, Any]:
    try:
        metrics: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"The evaluation '{which}' of '{name}' cannot be read: {error}. Restore it from the release."
        ) from error
    if metrics.get("schema") != schema:
        raise WeightsError(
            f"Expected schema {schema} in the evaluation '{which}' of '{name}'. Received {metrics.get('schema')}. "
            "Evaluate again with this version."
        )
    return metrics


def load_stress(name: str = models.DEFAULT_MODEL, *, weights_dir: Path | None = None) -> dict[str, Any] | None:
    """Return what ``stress`` measured of a model; see ``_load_measured``."""
    return _load_measured(name, "stress", STRESS_FILE, STRESS_SCHEMA, weights_dir)


def load_refusals(name: str = models.DEFAULT_MODEL, *, weights_dir: Path | None = None) -> dict[str, Any] | None:
    """Return the refusal scorecard of a model; see ``_load_measured``."""
    return _load_measured(name, "refusals", REFUSALS_FILE, REFUSALS_SCHEMA, weights_dir)


def may_answer_people(name: str, *, weights_dir: Path | None = None) -> bool:
    """Return whether a page may offer a model beside the default: never one that takes too much else for a lesion.

    Counted by ``refusals``; a model that was not counted may be offered, as a clinic's own is.
    """
    counted = load_refusals(name, weights_dir=weights_dir)
    return counted is None or float(counted["all_others"]["share"]) >= LEAST_REFUSED


def load_repeatability(name: str = models.DEFAULT_MODEL, *, weights_dir: Path | None = None) -> dict[str, Any] | None:
    """Return what ``repeatability`` measured of a model; see ``_load_measured``."""
    return _load_measured(name, "repeatability", REPEATABILITY_FILE, REPEATABILITY_SCHEMA, weights_dir)


def load_ugly_duckling(name: str = models.DEFAULT_MODEL, *, weights_dir: Path | None = None) -> dict[str, Any] | None:
    """Return what ``ugly-duckling`` measured of a model; see ``_load_measured``."""
    return _load_measured(name, "ugly-duckling", DUCKLING_FILE, DUCKLING_SCHEMA, weights_dir)


def _load_measured(name: str, folder: str, file: str, schema: int, weights_dir: Path | None) -> dict[str, Any] | None:
    """Return what a command measured of a model beside its evaluations; the schemas are in docs/evaluation.md.

    Args:
        name: Of the model; arrives from pages and the command line, and may not lead out of the weights folder.
        folder, file: Where it lies in ``NAME.evaluation``.
        schema: That this program knows.
        weights_dir: Folder of the weights; None for the one that ships.

    Returns:
        None where none ships.

    Raises:
        WeightsError: If it is damaged, of a schema that this program does not know, or of other weights.
    """
    path = _folder(name, weights_dir) / folder / file
    if Path(name).name != name or not path.is_file():
        return None
    return _read(path, name, folder, schema, weights_dir)


def repeatability_limit(manifest: Manifest, *, weights_dir: Path | None = None) -> int:
    """Return in how many small changes an answer of the model may change before it is unsure.

    Returns:
        What ``repeatability`` fitted for these very weights; half of the changes where nothing of them ships. A damaged
        file, or one of other weights, is logged and counts as nothing: a photo is screened all the same.
    """
    return _repeatability_limit(manifest.name, manifest.sha256, weights_dir or models.WEIGHTS_DIR)


@lru_cache(maxsize=8)
def _repeatability_limit(name: str, sha256: str, weights_dir: Path) -> int:
    try:
        measured = load_repeatability(name, weights_dir=weights_dir)
    except WeightsError as error:
        _logger.warning("The limit of changed answers is not the fitted one: %s", error)
        return DEFAULT_LIMIT
    if measured is None or measured["model"]["sha256"] != sha256:
        return DEFAULT_LIMIT
    return int(measured["limit"]["value"])


def load_comparison(*, weights_dir: Path | None = None) -> dict[str, Any]:
    """Return the shipped models beside the published systems and human readers, as plain data.

    The measured columns are each model's ``test`` and, where it ships, ``cross-validation``, and the results of
    ``frozen-unit`` that lie in ``frozen_unit/``; see ``evaluation.comparison.build_comparison`` for the keys.

    Args:
        weights_dir: Folder of the weights; None for the one that ships.

    Raises:
        WeightsError: If a manifest, an evaluation or a unit's result cannot be read.
    """
    return build_comparison(
        [
            {"which": which, "metrics": load_evaluation(manifest.name, which, weights_dir=weights_dir)}
            for manifest in models.list_models(weights_dir)
            for which in ("test", "cross-validation")
            if which in available_evaluations(manifest.name, weights_dir=weights_dir)
        ],
        units=[_read_unit(path) for path in sorted(((weights_dir or models.WEIGHTS_DIR) / _UNITS).glob("*.json"))],
    )


def _read_unit(path: Path) -> dict[str, Any]:
    try:
        unit: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"'{path.name}' of {_UNITS} cannot be read: {error}. Restore it from the release."
        ) from error
    return unit


def load_agreement(which: str = "test", *, weights_dir: Path | None = None) -> dict[str, Any] | None:
    """Return which shipped models agree, and agree wrong, about the same photos; see ``evaluation.agreement``.

    Args:
        which: The evaluation whose ``predictions.csv`` are compared.
        weights_dir: Folder of the weights; None for the one that ships.

    Returns:
        What ``compare_predictions`` gives, also for one model alone; None where no model ships such an evaluation.

    Raises:
        TableError: If a file is damaged, or the models were not asked about the same photos.
    """
    return _agreement(which, weights_dir or models.WEIGHTS_DIR)


@lru_cache(maxsize=4)  # a page is drawn again at every click
def _agreement(which: str, weights_dir: Path) -> dict[str, Any] | None:
    paths = {
        manifest.name: _folder(manifest.name, weights_dir) / which / PREDICTIONS_FILE
        for manifest in models.list_models(weights_dir)
        if which in available_evaluations(manifest.name, weights_dir=weights_dir)
    }
    read = [read_predictions(path, name=name) for name, path in paths.items() if path.is_file()]
    return compare_predictions(read) if read else None


def class_draws(manifest: Manifest) -> list[dict[str, Any]]:
    """Return how many training photos each class has, and how often an epoch shows it once the recipe has balanced them.

    Returns:
        One row a class: ``code``, ``n_photos``, ``n_drawn`` (rounded) and ``loss_share`` (what
        the loss sees of it, weights included). Empty where the manifest holds no counts.
    """
    counts: dict[str, float] = manifest.data.get("class_counts", {})
    recipe = manifest.training.get("recipe", {})
    if not sum(counts.values()):
        return []
    drawn = draws_per_class(
        np.array(list(counts.values()), np.float64),
        balance=recipe.get("balance", 0.0),
        class_floor=recipe.get("class_floor", 0),
    )
    shares = dict(zip(manifest.codes, manifest.sampling_shares, strict=True))
    if "bkl" in counts:  # photos whose undivided keratosis the network learns as one of its finer classes
        shares["bkl"] = sum(share for code, share in shares.items() if ham_code(code) == "bkl" and code not in counts)
    return [
        {
            "code": code,
            "n_photos": n,
            "n_drawn": round(n_drawn),
            "loss_share": shares.get(code, 0.0),
        }
        for (code, n), n_drawn in zip(counts.items(), drawn.tolist(), strict=True)
    ]


def calm_rate(manifest: Manifest, *, weights_dir: Path | None = None) -> CalmRate | None:
    """Return how often an answer below the threshold was wrong in the model's shipped test, told age, sex and site.

    Returns:
        None where no test of these very weights ships, or no test photo lay below the threshold. A damaged one is
        logged and gives None too: a photo is screened all the same, and ``doctor`` says what to do.
    """
    return _calm_rate(manifest.name, manifest.sha256, weights_dir or models.WEIGHTS_DIR)


@lru_cache(maxsize=8)  # a batch asks for each photo, and the file is large
def _calm_rate(name: str, sha256: str, weights_dir: Path) -> CalmRate | None:
    if "test" not in available_evaluations(name, weights_dir=weights_dir):
        return None
    try:
        metrics = load_evaluation(name, "test", weights_dir=weights_dir)
    except WeightsError as error:
        _logger.warning("No rate of wrong calm answers can be shown: %s", error)
        return None
    share = metrics["summary"]["malignant_share_below_threshold"]
    if share["value"] is None or metrics["model"]["sha256"] != sha256:
        return None
    return CalmRate(share["value"], share["low"], share["high"], metrics["malignant"]["prevalence"])


def _check_weights(metrics: dict[str, Any], name: str, which: str, weights_dir: Path | None) -> None:
    if not ((weights_dir or models.WEIGHTS_DIR) / f"{name}.json").is_file():
        return  # without a manifest no model loads, and that is said where one is loaded
    manifest = models.load_model_manifest(name, weights_dir)
    expected = manifest.sha256
    if "folds" in metrics:  # answered by one network a fold, none of which is the released one: its recipe's, though
        trained = [member["recipe"] for member in manifest.training.get("members", [])]
        if trained and "recipes" in metrics and _outlines(trained) != _outlines(metrics["recipes"]):
            raise WeightsError(
                f"Expected the folds '{which}' of '{name}' to be of its recipe, {_outlines(trained)}. They are of "
                f"{_outlines(metrics['recipes'])}. Put them into {_RECIPES}/ under a name of their own."
            )
        return
    measured = metrics.get("model", {}).get("sha256")
    if measured != expected:
        raise WeightsError(
            f"Expected the evaluation '{which}' of '{name}' to be of its weights, sha256 {expected}. "
            f"It is of {measured}. Restore both from the same release, or evaluate again."
        )


def _outlines(recipes: Sequence[Mapping[str, Any]]) -> str:
    """Name what tells recipes apart; the fields of two versions of this program may differ."""
    return "; ".join(
        f"{one['backbone']} at {one['input_px']} px{', taught' if one.get('teacher') else ''}" for one in recipes
    )


def _folder(name: str, weights_dir: Path | None) -> Path:
    return (weights_dir or models.WEIGHTS_DIR) / f"{name}.evaluation"
