"""How far tiny, chosen changes of the pixels move an answer: FGSM and PGD against the shipped network, and what catches them.

The attacker knows everything: network, averaging of views and calibration. Cancers are pushed towards calm, the others towards
alarm. Nobody's camera makes such changes; the figures say how steep the network's slopes are, and that a file from an
untrusted hand proves nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..domain import ImageType, Metadata, NextStep, Status
from ..model.keras_engine import KerasEngine
from ..model.metadata_branch import MetadataEncoder
from ..model.predictor import Predictor
from ..model.views import make_views, undo_view
from ..tables import LabelledPhoto
from ..taxonomy import HAM_MALIGNANT, ham_code
from .evaluate import PreparedPhoto, judge_output, prepare_pixels, read_labelled
from .files import prepare_folder, write_file
from .intervals import exact_interval
from .results import PhotoResult

SCHEMA = 1
ADVERSARIAL_FILE = "adversarial.json"
STRENGTHS = (1, 2, 4, 8)  # of 255, the largest change of any pixel
N_STEPS = 5  # of PGD
Square = npt.NDArray[np.uint8]
Gradient = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Attacked:
    """One photo before and after an attack."""

    method: str
    strength: int
    is_malignant: bool
    before: PhotoResult
    after: PhotoResult


def fgsm(square: Square, gradient: Gradient, *, strength: int) -> Square:
    """Return the square moved once by ``strength`` grey levels along the sign of the gradient.

    Reference: Goodfellow et al. (2015), https://arxiv.org/abs/1412.6572
    """
    moved = square + strength * np.sign(gradient(square.astype(np.float32)))
    return np.asarray(np.clip(np.round(moved), 0, 255), np.uint8)


def pgd(square: Square, gradient: Gradient, *, strength: int, n_steps: int = N_STEPS) -> Square:
    """Return the square moved in small steps along the gradient's sign, never further than ``strength`` from the start.

    Reference: Madry et al. (2018), https://arxiv.org/abs/1706.06083
    """
    start = square.astype(np.float32)
    moved, step = start.copy(), np.float32(max(strength / 3, 0.5))
    for _ in range(n_steps):
        further = moved + step * np.sign(gradient(moved))
        moved = np.asarray(np.clip(np.clip(further, start - strength, start + strength), 0, 255), np.float32)
    return np.asarray(np.round(moved), np.uint8)


ATTACKS: Mapping[str, Callable[..., Square]] = {"fgsm": fgsm, "pgd": pgd}


def run_adversarial(
    predictor: Predictor,
    engine: KerasEngine,
    photos: Sequence[LabelledPhoto],
    files: Mapping[str, Path],
    *,
    out: Path,
    strengths: Sequence[int] = STRENGTHS,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Attack every photo and write ``adversarial.json``.

    Args:
        predictor: The model as it answers, with its gate.
        engine: The same network, for its gradients.
        photos: Labelled; those that cannot be read are left out.
        files: Where they lie.
        out: Gets the file.
        strengths: Grey levels.
        on_progress: Called with (done, total).

    Returns:
        What was written; its form is in docs/evaluation.md.
    """
    prepare_folder(out)
    attacked: list[Attacked] = []
    for done, photo in enumerate(photos, start=1):
        pixels = read_labelled(files.get(photo.image_id))
        if isinstance(pixels, np.ndarray):
            attacked += attack_photo(
                predictor, engine, photo, prepare_pixels(pixels, predictor.manifest.preprocess), strengths
            )
        on_progress(done, len(photos))
    manifest = predictor.manifest
    found = {
        "schema": SCHEMA,
        "model": {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": manifest.sha256,
            "app_version": __version__,
        },
        "n_steps": N_STEPS,
        "rows": summarise(attacked),
    }
    write_file(out / ADVERSARIAL_FILE, (json.dumps(found, indent=1) + "\n").encode())
    return found


def attack_photo(
    predictor: Predictor, engine: KerasEngine, photo: LabelledPhoto, one: PreparedPhoto, strengths: Sequence[int]
) -> list[Attacked]:
    """Return what every attack makes of one photo; none where there is no square."""
    if one.square is None:
        return []
    told = Metadata(image_type=ImageType.DERMOSCOPIC)

    def answer(square: Square) -> PhotoResult:
        output = predictor.predict(square[np.newaxis], [told])[0]
        return judge_output(photo, PreparedPhoto(square, one.refusal), told, output, ImageType.DERMOSCOPIC)

    gradient = towards_harm(engine, predictor, told, is_malignant=photo.is_malignant)
    before = answer(one.square)
    return [
        Attacked(name, strength, photo.is_malignant, before, answer(attack(one.square, gradient, strength=strength)))
        for strength in strengths
        for name, attack in ATTACKS.items()
    ]


def towards_harm(engine: KerasEngine, predictor: Predictor, told: Metadata, *, is_malignant: bool) -> Gradient:
    """Return the direction that does most harm: a cancer made calm, anything else made alarming; through all views."""
    manifest = predictor.manifest
    malignant = np.array([ham_code(code) in HAM_MALIGNANT for code in manifest.codes])
    target = np.where(malignant, 0.0, 1.0) if is_malignant else np.where(malignant, 1.0, 0.0)
    encoded = np.repeat(MetadataEncoder(manifest.metadata_fields).encode([told]), manifest.n_views, axis=0)

    def gradient(square: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        by_view = engine.input_gradient(make_views(square, manifest.n_views), encoded, target)
        return np.asarray(sum(undo_view(one, view) for view, one in enumerate(by_view)), np.float32)

    return gradient


def summarise(attacked: Sequence[Attacked]) -> list[dict[str, Any]]:
    """Return a row an attack and strength: what changed, and what the gate or the doubt caught of it.

    ``calmer`` counts cancers whose next step became less urgent and is still an answer: what would harm somebody.
    """
    rows = []
    for method, strength in dict.fromkeys((a.method, a.strength) for a in attacked):
        own = [a for a in attacked if (a.method, a.strength) == (method, strength)]
        changed = [a for a in own if a.after.next_step is not a.before.next_step]
        malignant = [a for a in own if a.is_malignant]
        calmer = [a for a in malignant if _is_answer(a) and a.after.next_step.urgency < a.before.next_step.urgency]
        rows.append(
            {
                "method": method,
                "strength": strength,
                "n": len(own),
                "n_malignant": len(malignant),
                "class_changed": _count(sum(_class_of(a.after) != _class_of(a.before) for a in own), len(own)),
                "next_step_changed": _count(len(changed), len(own)),
                "calmer": _count(len(calmer), len(malignant)),
                "refused": _count(sum(a.after.status is Status.REFUSED for a in own), len(own)),
                "unsure": _count(sum(a.after.status is Status.UNSURE for a in own), len(own)),
            }
        )
    return rows


def _is_answer(attacked: Attacked) -> bool:
    return attacked.after.next_step is not NextStep.NOT_ASSESSED


def _class_of(result: PhotoResult) -> str:
    return "" if result.prediction is None else result.prediction.predicted


def _count(n: int, total: int) -> dict[str, float | int | None]:
    low, high = exact_interval(n, total) if total else (None, None)
    return {"n": n, "share": n / total if total else None, "low": low, "high": high}


def describe_adversarial(found: Mapping[str, Any]) -> list[str]:
    """Return the table in Markdown, for a terminal and for docs/adversarial.md."""
    lines = [
        "| attack | largest change of a pixel | photos | class changed | next step changed | cancers made calmer | refused | unsure |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found["rows"]:
        cells = [f"{row[name]['n']}" for name in ("class_changed", "next_step_changed")]
        cells += [f"{row['calmer']['n']} of {row['n_malignant']}", f"{row['refused']['n']}", f"{row['unsure']['n']}"]
        lines.append(f"| {row['method'].upper()} | {row['strength']}/255 | {row['n']} | {' | '.join(cells)} |")
    return lines


def adversarial_page(found: Mapping[str, Any]) -> str:
    """Return docs/adversarial.md."""
    model = found["model"]
    return "\n".join(
        [
            "# Chosen changes of the pixels",
            "",
            "Written by `python -m dermascan_core adversarial --help`; do not edit by hand. "
            f"Model {model['name']} {model['version']}, weights {model['sha256'][:12]}.",
            "",
            "An attacker who knows the whole network, its averaging included, changes the square that it sees by a few grey "
            f"levels (FGSM: one step; PGD: {found['n_steps']} steps), cancers towards calm, everything else towards alarm. The "
            "photo looks the same to a person. Cameras do not make such changes; somebody who wants a certain answer can. "
            "Nothing in this program defends against it beyond the gate and the doubt counted here: never act on a "
            "photo from an untrusted hand.",
            "",
            *describe_adversarial(found),
            "",
        ]
    )
