"""From stressed photos to ``stress.json``: what is kept of the clean answers, always compared photo by photo."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..domain import ImageType, NextStep, Status
from ..model.manifest import Manifest
from ..model.predictor import EnginePredictor, Predictor
from ..tables import LabelledPhoto
from ..taxonomy import HAM_CODES
from . import weighted
from .damage import CLEAN, DETAIL_PX, SMALL_CHANGES, STRESSES, Damage
from .evaluate import each_once
from .files import prepare_folder, write_file
from .intervals import LEVEL, N_RESAMPLES, SEED, Estimate, bootstrap
from .results import ResultTable, make_table, only_image_type
from .stress import StressedPhoto, sample_photos, stress_photos
from .stress_plots import draw_stress_plots
from .subgroups import MIN_MALIGNANT

STRESS_FILE = "stress.json"
SCHEMA = 1
LOW_CONTRAST_SHARE = 0.1  # the photos whose lesions stand out least
MIN_MELANOMAS = MIN_MALIGNANT
Key = tuple[str, ...]


def run_stress(
    predictor: Predictor,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    out: Path,
    limit: int = 0,
    seed: int = 0,
    split: str = "",
    use_metadata: bool = True,
    image_type: ImageType = ImageType.DERMOSCOPIC,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Stress labelled photos, write ``stress.json`` and its plots, and return what the file holds.

    Single views are measured where the predictor can be told to average fewer (``EnginePredictor.with_views``).

    Args:
        predictor: The model.
        photos: Labelled photos; where several rows name one photo, the first counts.
        files: image_id -> file.
        out: Folder; made if need be.
        limit: About how many photos; 0 for all.
        seed: Of the draw and the damages.
        split: Name of the split, for the record.
        use_metadata: Whether to tell the model age, sex and site.
        image_type: How the photos were taken.
        on_progress: Called with (done, total).

    Raises:
        DatasetError: If there are no photos, or none could be read.
        OutputError: If ``out`` cannot be written; found before the first prediction.
    """
    prepare_folder(out)
    stressed = stress_photos(
        predictor,
        sample_photos(each_once(photos), limit=limit, seed=seed),
        files,
        seed=seed,
        single_view=predictor.with_views(1) if isinstance(predictor, EnginePredictor) else None,
        use_metadata=use_metadata,
        image_type=image_type,
        on_progress=on_progress,
    )
    stress = build_stress(
        stressed, predictor.manifest, engine=predictor.engine, seed=seed, split=split, use_metadata=use_metadata
    )
    write_file(out / STRESS_FILE, (json.dumps(stress, indent=1, allow_nan=False) + "\n").encode())
    for name, png in draw_stress_plots(stress).items():
        write_file(out / name, png)
    return stress


def build_stress(
    stressed: Sequence[StressedPhoto],
    manifest: Manifest,
    *,
    engine: str,
    seed: int,
    split: str = "",
    use_metadata: bool = True,
    n_resamples: int = N_RESAMPLES,
) -> dict[str, Any]:
    """Compute everything that ``stress.json`` holds; the schema is in docs/evaluation.md.

    Every interval is paired: a resample draws lesions (patients where known), and each drawn photo brings its clean
    and its damaged answer.

    Args:
        stressed: From ``stress.stress_photos``.
        manifest: Of the model.
        engine: That answered.
        seed: Of the damages.
        split: Name of the split; empty for all rows.
        use_metadata: Whether the model was told age, sex and site.
        n_resamples: Of the bootstrap.

    Returns:
        Plain data, ready for JSON; None stands for what is undefined.
    """
    clean = _table(stressed, CLEAN)
    manifest = manifest.as_for(only_image_type(clean.results))
    has_views = bool(stressed[0].view_steps)
    low = _low_contrast(stressed, clean)
    measures: dict[Key, weighted.Measure] = {
        ("clean", name): measure for name, measure in _measures(clean, clean).items()
    }
    for damage in (*STRESSES, *SMALL_CHANGES):
        kind = "stresses" if damage in STRESSES else "small_changes"
        for name, measure in _measures(_table(stressed, damage), clean).items():
            measures[kind, damage.name, name] = measure
    measures |= _means(measures)
    measures |= {("single_views", name): m for name, m in (_view_measures(stressed) if has_views else {}).items()}
    measures |= {("low_pigment", *key): m for key, m in _low_pigment_measures(stressed, clean, low).items()}
    measures |= {("heat_map", name): measure for name, measure in _heat_measures(stressed).items()}
    estimates = bootstrap(measures, clean.groups, n_resamples=n_resamples, seed=SEED)
    return {
        "schema": SCHEMA,
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.sha256,
            "engine": engine,
            "app_version": __version__,
            "n_views": manifest.n_views,
            "threshold": manifest.threshold,
        },
        "data": {
            "split": split,
            "use_metadata": use_metadata,
            "n": len(stressed),
            "n_malignant": int(clean.is_malignant.sum()),
            "n_melanoma": int(clean.is_melanoma.sum()),
            "detail_px": DETAIL_PX,
            "seed": seed,
        },
        "intervals": {"level": LEVEL, "n_resamples": n_resamples, "seed": SEED, "paired": True},
        "clean": _pick(estimates, "clean"),
        "stresses": [_row(estimates, "stresses", damage) for damage in STRESSES],
        "kept": _kept(estimates),
        "small_changes": [_row(estimates, "small_changes", damage) for damage in SMALL_CHANGES],
        "next_step_changed": _pick(estimates, "next_step_changed")
        | {"worst": _worst(estimates, "small_changes", SMALL_CHANGES, "next_step_changed", largest=True)},
        "single_views": _pick(estimates, "single_views") or None,
        "low_pigment": _describe_low_pigment(estimates, stressed, clean, low),
        "heat_map": _pick(estimates, "heat_map"),
    }


def _table(stressed: Sequence[StressedPhoto], damage: Damage) -> ResultTable:
    return make_table([one.results[damage.name] for one in stressed])


def _steps(table: ResultTable) -> npt.NDArray[np.int_]:
    return np.array([list(NextStep).index(result.next_step) for result in table.results])


def _measures(table: ResultTable, clean: ResultTable) -> dict[str, weighted.Measure]:
    """Return the measures of one damage; those against the clean photos are paired."""
    urgency = [np.array([r.next_step.urgency for r in one.results]) for one in (table, clean)]
    is_refused = [np.array([r.status is Status.REFUSED for r in one.results]) for one in (table, clean)]
    malignant = clean.is_malignant
    measures = {
        "malignant_sensitivity_at_threshold": weighted.share(table.is_above, malignant),
        "specificity_at_threshold": weighted.share(~table.is_above, ~malignant),
        "malignant_auc": weighted.auc(malignant, table.p_malignant),
        "next_step_changed": weighted.share(_steps(table) != _steps(clean)),
        # A photo that is refused now gets no advice: counted apart, it is no calmer one.
        "next_step_calmer": weighted.share((urgency[0] < urgency[1]) & ~is_refused[0]),
        "refused": weighted.share(is_refused[0]),
        "newly_refused": weighted.share(is_refused[0] & ~is_refused[1]),
    }
    if clean.knows_melanoma:
        measures["melanoma_sensitivity_at_threshold"] = weighted.share(table.is_above, clean.is_melanoma)
    if not clean.has_classes:
        return measures
    accuracy, clean_accuracy = (weighted.share(one.y_pred == one.y_true) for one in (table, clean))
    balanced, clean_balanced = (
        weighted.balanced_accuracy(one.y_true, one.y_pred, n_classes=len(HAM_CODES)) for one in (table, clean)
    )
    return measures | {
        "accuracy": accuracy,
        "balanced_accuracy": balanced,
        "accuracy_kept": weighted.quotient(accuracy, clean_accuracy),
        "balanced_accuracy_kept": weighted.quotient(balanced, clean_balanced),
    }


def _means(measures: Mapping[Key, weighted.Measure]) -> dict[Key, weighted.Measure]:
    """Return the means over the damages that count."""
    means: dict[Key, weighted.Measure] = {}
    for name in ("accuracy_kept", "balanced_accuracy_kept"):
        counted = [measures.get(("stresses", damage.name, name)) for damage in STRESSES if damage.is_in_bar]
        if defined := [measure for measure in counted if measure is not None]:
            means["kept", f"mean_{name}"] = weighted.mean_of(defined)
    changes = [measures["small_changes", damage.name, "next_step_changed"] for damage in SMALL_CHANGES]
    means["next_step_changed", "mean"] = weighted.mean_of(changes)
    return means


def _view_measures(stressed: Sequence[StressedPhoto]) -> dict[str, weighted.Measure]:
    """Return how often the next step differs between the single views of a photo."""
    steps = np.array([[list(NextStep).index(step) for step in one.view_steps] for one in stressed])  # (n, n_views)
    n_views = steps.shape[1]
    n_same = (steps[:, :, None] == steps[:, None, :]).sum(axis=(1, 2)) - n_views
    averaged = _steps(_table(stressed, CLEAN))
    return {
        "changed_from_upright": weighted.share((steps[:, 1:] != steps[:, :1]).mean(axis=1)),
        "changed_from_averaged": weighted.share((steps != averaged[:, None]).mean(axis=1)),
        "two_views_differ": weighted.share(1 - n_same / (n_views * (n_views - 1))),
        "any_view_differs": weighted.share((steps != steps[:, :1]).any(axis=1)),
    }


def _low_contrast(stressed: Sequence[StressedPhoto], clean: ResultTable) -> npt.NDArray[np.bool_]:
    """Return which photos are melanomas in the decile of all photos whose lesions stand out least from the skin."""
    contrast = np.array([one.contrast for one in stressed])
    is_pale = contrast <= np.quantile(contrast, LOW_CONTRAST_SHARE)
    return np.asarray(is_pale & clean.is_melanoma, bool)


def _low_pigment_measures(
    stressed: Sequence[StressedPhoto], clean: ResultTable, low: npt.NDArray[np.bool_]
) -> dict[Key, weighted.Measure]:
    if low.sum() < MIN_MELANOMAS:
        return {}
    others = clean.is_melanoma & ~low
    measures: dict[Key, weighted.Measure] = {
        ("clean", "sensitivity_at_threshold"): weighted.share(clean.is_above, low),
        ("clean", "sensitivity_of_other_melanomas"): weighted.share(clean.is_above, others),
    }
    for damage in STRESSES:
        is_above = _table(stressed, damage).is_above
        measures["stresses", damage.name] = weighted.share(is_above, low)
    return measures


def _describe_low_pigment(
    estimates: Mapping[Key, Estimate],
    stressed: Sequence[StressedPhoto],
    clean: ResultTable,
    low: npt.NDArray[np.bool_],
) -> dict[str, Any]:
    limit = float(np.quantile([one.contrast for one in stressed], LOW_CONTRAST_SHARE))
    return {
        "rule": f"melanomas among the {LOW_CONTRAST_SHARE:.0%} of photos whose lesion stands out least (CIELAB Delta E)",
        "max_delta_e": round(limit, 2),
        "n": int(low.sum()),
        "n_melanoma": int(clean.is_melanoma.sum()),
        "min_n": MIN_MELANOMAS,
        "too_few": bool(low.sum() < MIN_MELANOMAS),
        "clean": _pick(estimates, "low_pigment", "clean") or None,
        "stresses": _pick(estimates, "low_pigment", "stresses") or None,
    }


def _heat_measures(stressed: Sequence[StressedPhoto]) -> dict[str, weighted.Measure]:
    """Return where the network looks: the heat inside the lesion, beside the share a blind look would have."""
    heat, share = (np.array([getattr(one, name) for one in stressed]) for name in ("heat_in_lesion", "lesion_share"))
    is_known = ~np.isnan(heat)
    return {
        "heat_in_lesion": weighted.share(np.nan_to_num(heat), is_known),
        "lesion_share": weighted.share(np.nan_to_num(share), is_known),
        "mostly_outside": weighted.share(np.nan_to_num(heat) < np.nan_to_num(share), is_known),
    }


def _row(estimates: Mapping[Key, Estimate], kind: str, damage: Damage) -> dict[str, Any]:
    return {
        "name": damage.name,
        "words": damage.words,
        "is_in_bar": damage.is_in_bar,
        "measures": _pick(estimates, kind, damage.name),
    }


def _kept(estimates: Mapping[Key, Estimate]) -> dict[str, Any]:
    counted = [damage for damage in STRESSES if damage.is_in_bar]
    return _pick(estimates, "kept") | {
        f"worst_{name}": _worst(estimates, "stresses", counted, name, largest=False)
        for name in ("accuracy_kept", "balanced_accuracy_kept")
    }


def _worst(
    estimates: Mapping[Key, Estimate], kind: str, damages: Sequence[Damage], name: str, *, largest: bool
) -> dict[str, Any] | None:
    found = [
        (estimate, damage)
        for damage in damages
        if (estimate := estimates.get((kind, damage.name, name))) is not None and not np.isnan(estimate.value)
    ]
    if not found:
        return None
    estimate, damage = (max if largest else min)(found, key=lambda pair: pair[0].value)
    return {"name": damage.name, "words": damage.words, **estimate.to_dict()}


def _pick(estimates: Mapping[Key, Estimate], *place: str) -> dict[str, Any]:
    return {
        key[-1]: estimate.to_dict()
        for key, estimate in estimates.items()
        if key[: len(place)] == place and len(key) == len(place) + 1
    }


def describe_stress(stress: Mapping[str, Any]) -> list[str]:
    """Return the lines that the command prints: one a damage, then what is kept and what changes."""
    data = stress["data"]
    lines = [
        f"{data['n']} photos ({data['n_melanoma']} melanomas) at {data['detail_px']} px of detail, damaged before the crop."
    ]
    lines.append("share of clean accuracy kept, melanoma sensitivity at the threshold, next step changed:")
    for row in (*stress["stresses"], *stress["small_changes"]):
        m = row["measures"]
        kept, melanoma = m.get("accuracy_kept"), m.get("melanoma_sensitivity_at_threshold")
        lines.append(f"  {row['words']}: {_shown(kept)}, {_shown(melanoma)}, {_shown(m['next_step_changed'])}")
    kept = stress["kept"]
    if kept.get("mean_accuracy_kept"):
        worst = kept["worst_accuracy_kept"]
        lines.append(
            f"Accuracy kept: mean {_shown(kept['mean_accuracy_kept'])}, worst {_shown(worst)} ({worst['words']})."
        )
    if stress["single_views"]:
        lines.append(
            f"Next step changed between single views: {_shown(stress['single_views']['changed_from_upright'])}."
        )
    changed = stress["next_step_changed"]
    lines.append(
        f"Next step changed by small changes: mean {_shown(changed['mean'])}, "
        f"worst {_shown(changed['worst'])} ({changed['worst']['words']})."
    )
    low = stress["low_pigment"]
    lines.append(
        f"Low-pigment melanomas (Delta E up to {low['max_delta_e']}): {low['n']} of {low['n_melanoma']}; "
        + (
            f"too few for numbers (at least {low['min_n']})."
            if low["too_few"]
            else f"sensitivity {_shown(low['clean']['sensitivity_at_threshold'])}, "
            f"of the others {_shown(low['clean']['sensitivity_of_other_melanomas'])}."
        )
    )
    heat = stress["heat_map"]
    lines.append(
        f"Heat inside the lesion: {_shown(heat['heat_in_lesion'])}; the lesion covers {_shown(heat['lesion_share'])}."
    )
    return lines


def _shown(estimate: Mapping[str, float | None] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return "undefined"
    if estimate["low"] is None or estimate["high"] is None:
        return f"{estimate['value']:.1%}"
    return f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%})"
