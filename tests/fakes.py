"""Stand-ins for tests: a predictor without a network, its manifest, and photos made in code."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from dermascan_core.domain import Metadata
from dermascan_core.imaging.preprocess import PreprocessConfig
from dermascan_core.model.manifest import CLINICAL_FIELDS, DECISION_FIELDS, Manifest, file_sha256, save_manifest
from dermascan_core.model.predictor import PhotoOutput, prediction_from_views
from dermascan_core.taxonomy import HAM_CODES

CODES = ("mel", "nv", "bcc", "ak", "scc", "pbk", "df", "vasc")
SHARES = (0.11, 0.67, 0.05, 0.013, 0.02, 0.11, 0.012, 0.015)


def fake_manifest(**changes: Any) -> Manifest:
    """A manifest that agrees with itself; any field may be changed."""
    shares = tuple(np.array(SHARES) / sum(SHARES))
    values: dict[str, Any] = {
        "name": "fake",
        "version": "0.0.1",
        "backbone": "mobilenet_v2",
        "codes": CODES,
        "preprocess": PreprocessConfig(),
        "metadata_fields": ("age_approx", "sex", "anatom_site"),
        "class_shares": shares,
        "sampling_shares": (1 / 8,) * 8,
        "temperature": 1.0,
        "threshold": 0.2,
        "threshold_rule": "chosen for tests",
        "conformal": {level: dict.fromkeys(HAM_CODES, p) for level, p in (("90", 0.10), ("95", 0.05))},
        "n_views": 8,
        "licence": "test",
        "sha256": "0" * 64,
    }
    return Manifest(**(values | changes))


def write_fake_weights(folder: Path, **changes: Any) -> Manifest:
    """Write a fake model's two files, sealed as real ones are; the weights hold no network."""
    manifest = fake_manifest(**changes)
    weights = folder / f"{manifest.name}.keras"
    values = manifest.to_dict()
    with zipfile.ZipFile(weights, "w") as archive:
        archive.writestr("dermascan.json", json.dumps({name: values[name] for name in DECISION_FIELDS}))
    manifest = replace(manifest, sha256=changes.get("sha256", file_sha256(weights)))
    save_manifest(manifest, folder / f"{manifest.name}.json")
    return manifest


def phone_manifest(*, n_photos: int = 400, n_melanomas: int = 12, low: float | None = 0.86, **changes: Any) -> Manifest:
    """The manifest of a model that learnt from phone photos too and was measured on them, answering as the other does."""
    plain = fake_manifest()
    own = {name: getattr(plain, name) for name in CLINICAL_FIELDS}
    data = {"n_predicted": n_photos, "n_by_class": dict.fromkeys(HAM_CODES, 0) | {"mel": n_melanomas}}
    sensitivity = {"value": 0.93, "low": low, "high": 0.97}
    summary = {"sensitivity_at_threshold": sensitivity, "melanoma_sensitivity_at_threshold": sensitivity}
    metrics = {"cross-validation-phone": {"data": data, "summary": summary}}
    return fake_manifest(clinical=own, metrics=metrics, **changes)


class FakePredictor:
    """Answers from the square's colour alone: the darker its centre, the more melanoma; old age adds a little.

    ``fixed`` gives the same class probabilities (8,) to every photo instead.
    """

    engine = "fake"

    def __init__(self, *, fixed: Sequence[float] | None = None, manifest: Manifest | None = None) -> None:
        self.manifest = manifest or fake_manifest()
        self.fixed = fixed
        self.n_calls = 0

    def predict(
        self, squares: npt.NDArray[np.uint8], metadata: Sequence[Metadata], *, explain: bool = False
    ) -> list[PhotoOutput]:
        """See ``Predictor.predict``."""
        self.n_calls += 1
        return [self._one(square, row, explain) for square, row in zip(squares, metadata, strict=True)]

    def _one(self, square: npt.NDArray[np.uint8], metadata: Metadata, explain: bool) -> PhotoOutput:
        settings = self.manifest.as_for(metadata.image_type)
        with_metadata, without = (
            prediction_from_views(np.tile(self._probabilities(square, m), (8, 1)), settings)
            for m in (metadata, Metadata())
        )
        heat_map = np.zeros((5, 5), np.float32)
        heat_map[2, 2] = 1
        return PhotoOutput(
            with_metadata, without, square.mean(axis=(0, 1)), dict.fromkeys(HAM_CODES, heat_map) if explain else {}
        )

    def _probabilities(self, square: npt.NDArray[np.uint8], metadata: Metadata) -> npt.NDArray[np.float64]:
        if self.fixed is not None:
            p = np.asarray(self.fixed, np.float64)
            return p / p.sum()
        side = square.shape[0]
        darkness = 1 - square[side // 3 : -side // 3, side // 3 : -side // 3].mean() / 255
        melanoma = float(np.clip(darkness - 0.3 + 0.1 * ((metadata.age_approx or 50) > 70), 0.01, 0.9))
        rest = np.array([0.0, 0.8, 0.05, 0.02, 0.02, 0.08, 0.015, 0.015])
        return np.array([melanoma, *(rest[1:] / rest.sum() * (1 - melanoma))])


def fake_photo(
    *,
    width: int = 600,
    height: int = 450,
    lesion: tuple[int, int, int] = (120, 70, 50),
    centre: tuple[float, float] = (0.5, 0.5),
    radius_share: float = 0.25,
) -> npt.NDArray[np.uint8]:
    """A brown, slightly ragged disc on textured skin; uint8 RGB (height, width, 3)."""
    rng = np.random.default_rng(7)
    skin = np.full((height, width, 3), (222, 176, 150), np.float32) + rng.normal(0, 6, (height, width, 1))
    y, x = np.mgrid[0:height, 0:width]
    angle = np.arctan2(y - centre[1] * height, x - centre[0] * width)
    radius = radius_share * height * (1 + 0.08 * np.sin(5 * angle))
    inside = np.hypot(y - centre[1] * height, x - centre[0] * width) < radius
    skin[inside] = np.array(lesion, np.float32) + rng.normal(0, 10, (int(inside.sum()), 1))
    return np.clip(cv2.GaussianBlur(skin, (0, 0), 0.8), 0, 255).astype(np.uint8)


def photo_bytes(rgb: npt.NDArray[np.uint8], format: str = "JPEG", **options: Any) -> bytes:
    """Encode an RGB array."""
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, format, **options)
    return buffer.getvalue()
