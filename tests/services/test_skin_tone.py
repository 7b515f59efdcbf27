"""How many test photos were like this one: read from the shipped test of these very weights, or said to be unknown."""

import json
from pathlib import Path
from typing import Any

import pytest

from dermascan_core.domain import ImageType
from dermascan_core.evaluation.report import SCHEMA
from dermascan_core.services.intake import take_in
from dermascan_core.services.skin_tone import PhotosAlike, count_alike, tone_of
from tests.fakes import fake_manifest, fake_photo, photo_bytes

MANIFEST = fake_manifest()
ROWS = [
    {"kind": "ita_band", "name": "light", "n": 120, "n_malignant": 20, "too_few": False},
    {"kind": "ita_band", "name": "tan", "n": 12, "n_malignant": 1, "too_few": True},
    {"kind": "skin_type", "name": "unknown", "n": 132, "n_malignant": 21, "too_few": False},
]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    write(tmp_path, "test", ROWS)
    return tmp_path


def write(weights: Path, which: str, rows: list[dict[str, Any]], sha256: str = MANIFEST.sha256) -> None:
    folder = weights / f"{MANIFEST.name}.evaluation" / which
    folder.mkdir(parents=True)
    metrics = {"schema": SCHEMA, "model": {"sha256": sha256}, "groups": {"rows": rows}}
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def count(weights: Path, kind: str, name: str, image_type: ImageType = ImageType.DERMOSCOPIC) -> PhotosAlike | None:
    return count_alike(MANIFEST, image_type, kind=kind, name=name, weights_dir=weights)


def test_band_that_was_tested_has_its_counts(weights: Path) -> None:
    assert count(weights, "ita_band", "light") == PhotosAlike(120, 20, is_too_few=False)
    assert count(weights, "ita_band", "tan") == PhotosAlike(12, 1, is_too_few=True)


def test_band_without_a_photo_counts_as_none_and_too_few(weights: Path) -> None:
    assert count(weights, "ita_band", "dark") == PhotosAlike(0, 0, is_too_few=True)


def test_types_that_no_label_names_are_unknown_and_not_zero(weights: Path) -> None:
    assert count(weights, "skin_type", "3") is None


def test_phone_photos_have_a_test_of_their_own(weights: Path) -> None:
    assert count(weights, "ita_band", "light", ImageType.CLINICAL) is None

    write(weights, "test-phone", [ROWS[1]])
    from dermascan_core.services import skin_tone

    skin_tone._groups.cache_clear()
    assert count(weights, "ita_band", "tan", ImageType.CLINICAL) == PhotosAlike(12, 1, is_too_few=True)


def test_test_of_other_weights_says_nothing(tmp_path: Path) -> None:
    write(tmp_path, "test", ROWS, sha256="1" * 64)

    assert count(tmp_path, "ita_band", "light") is None


def test_tone_is_read_from_the_preview() -> None:
    tone = tone_of(take_in("a.jpg", photo_bytes(fake_photo())))

    assert tone is not None
    assert tone.band in ("light", "intermediate")


def test_photo_that_cannot_be_decoded_has_no_tone() -> None:
    assert tone_of(take_in("a.jpg", b"no photo")) is None
