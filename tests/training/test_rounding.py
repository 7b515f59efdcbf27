from dataclasses import replace

import numpy as np

from dermascan_core.domain import ImageType, Metadata
from dermascan_core.tables import LabelledPhoto
from dermascan_core.training.rounding import rounding_effect
from tests.fakes import CODES, SHARES, fake_manifest, phone_manifest

PHOTO = LabelledPhoto("a", "nv", False, Metadata(image_type=ImageType.DERMOSCOPIC))
PHONE = LabelledPhoto("b", "nv", False, Metadata(image_type=ImageType.CLINICAL))
# The network's loss saw every class alike: probabilities become the archive's by these shares.
SHIFT = np.log(np.array(SHARES) / sum(SHARES)) + np.log(8)


def _logits(**probabilities):
    """One view whose calibrated probabilities are those named; what is left is shared among the other classes."""
    left = (1 - sum(probabilities.values())) / (len(CODES) - len(probabilities))
    p = np.array([probabilities.get(code, left) for code in CODES])
    return (np.log(p) - SHIFT)[None]


def test_equal_answers_count_nothing():
    logits = np.stack([_logits(mel=0.3, nv=0.6), _logits(nv=0.9)])

    effect = rounding_effect(logits, logits, [PHOTO, PHOTO], fake_manifest())

    assert effect == {
        "n_photos": 2,
        "class_changed": 0,
        "line_crossed": 0,
        "set_changed": 0,
        "answer_changed": 0,
        "largest_change": 0.0,
    }


def test_each_kind_of_change_is_counted_and_a_photo_once():
    manifest = fake_manifest(threshold=0.2, calm_threshold=0.15)
    alike = _logits(nv=0.9, mel=0.06)
    exact = np.stack([alike, _logits(mel=0.1999, nv=0.7), _logits(mel=0.0999, nv=0.83), _logits(mel=0.02, nv=0.97)])
    rounded = np.stack([alike, _logits(mel=0.2001, nv=0.7), _logits(mel=0.1001, nv=0.83), _logits(mel=0.5, nv=0.4)])
    # Three small others hold malignant classes too: what crosses here is the line for calm answers or the threshold.

    effect = rounding_effect(rounded, exact, [PHOTO] * 4, manifest)

    assert effect["n_photos"] == 4
    assert effect["class_changed"] == 1
    assert effect["set_changed"] == 2
    assert effect["answer_changed"] <= 3
    assert effect["line_crossed"] >= 1
    np.testing.assert_allclose(effect["largest_change"], 0.57, atol=1e-6)


def test_each_photo_is_held_to_the_lines_of_its_own_kind():
    manifest = phone_manifest()
    manifest = replace(manifest, clinical=manifest.clinical | {"threshold": 0.5})
    exact, rounded = _logits(mel=0.45, nv=0.54)[None], _logits(mel=0.55, nv=0.44)[None]

    as_phone = rounding_effect(rounded, exact, [PHONE], manifest)
    as_dermoscopic = rounding_effect(rounded, exact, [PHOTO], manifest)

    assert as_phone["line_crossed"] == 1
    assert as_dermoscopic["line_crossed"] == 0
