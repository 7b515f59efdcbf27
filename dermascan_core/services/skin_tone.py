"""How light the skin in a photo looks, the person's own answer, and how many test photos were like that."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..domain import ImageType
from ..errors import WeightsError
from ..imaging.skin_tone import SkinTone, estimate_skin_tone
from ..model.manifest import Manifest
from . import models
from .intake import Intake, decode_preview
from .performance import available_evaluations, load_evaluation

_logger = logging.getLogger(__name__)
_TESTS = {ImageType.DERMOSCOPIC: "test", ImageType.CLINICAL: "test-phone"}


@dataclass(frozen=True, slots=True)
class PhotosAlike:
    """Photos of the model's test that are like the one looked at.

    Attributes:
        n: How many.
        n_malignant: How many of them show cancer or pre-cancer.
        is_too_few: Whether figures of such photos would say more about chance than about them.
    """

    n: int
    n_malignant: int
    is_too_few: bool


def tone_of(photo: Intake) -> SkinTone | None:
    """Return how light the skin in a photo looks, from its preview; None where that cannot be read."""
    return estimate_skin_tone(decode_preview(photo.preview_jpeg)) if photo.preview_jpeg else None


def count_alike(
    manifest: Manifest, image_type: ImageType, *, kind: str, name: str, weights_dir: Path | None = None
) -> PhotosAlike | None:
    """Return how many photos of the model's shipped test share one answer.

    Args:
        manifest: Of the model.
        image_type: How the photo was taken; phone photos have a test of their own.
        kind: ``ita_band`` or ``skin_type``.
        name: The band, or the Fitzpatrick type ("1" to "6").
        weights_dir: Folder of the weights; None for the one that ships.

    Returns:
        None where no such test ships, or nobody counted this kind in it. A band that was counted and has no photo gives 0.
    """
    groups = _groups(manifest.name, manifest.sha256, _TESTS[image_type], weights_dir or models.WEIGHTS_DIR)
    of_kind = {own_name: group for (own_kind, own_name), group in groups.items() if own_kind == kind}
    if not set(of_kind) - {"unknown"}:
        return None
    return of_kind.get(name, PhotosAlike(0, 0, True))


@lru_cache(maxsize=8)  # a page is drawn again at every click, and the file is large
def _groups(name: str, sha256: str, which: str, weights_dir: Path) -> dict[tuple[str, str], PhotosAlike]:
    if which not in available_evaluations(name, weights_dir=weights_dir):
        return {}
    try:
        metrics = load_evaluation(name, which, weights_dir=weights_dir)
    except WeightsError as error:
        _logger.warning("How many test photos were like this one cannot be said: %s", error)
        return {}
    if metrics["model"]["sha256"] != sha256:
        return {}
    return {
        (row["kind"], row["name"]): PhotosAlike(row["n"], row["n_malignant"], row["too_few"])
        for row in metrics["groups"]["rows"]
    }
