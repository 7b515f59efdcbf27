"""What a phone needs beside the network, as small files to pack behind it: labels, numbers that decide, and words."""

from __future__ import annotations

import json
from typing import Any

from ..model.manifest import Manifest
from ..taxonomy import CLASS_BY_CODE, HAM_CODES, HAM_MALIGNANT, HAM_PLAIN_NAMES, ham_code
from ..triage.wording import BARS_CAPTION, DISCLAIMER, P_MALIGNANT_NAME, phone_words, tested_on

LABELS_FILE, MODEL_FILE, NOTICE_FILE = "labels.txt", "model.json", "NOTICE.txt"
_ABOVE = (
    "This photo has features that the model links with cancer or pre-cancer. It cannot be ruled out. "
    "Book a doctor now and show this page."
)
_BELOW = (
    "No high-risk features were found in this photo. This does not rule out cancer. Nothing was asked about the spot, so show "
    "it to a doctor at a routine visit, and sooner if it changes, bleeds, hurts or worries you."
)
_POSSIBLE = (
    "The model cannot rule out every kind of skin cancer or pre-cancer in this photo. "
    "Book a visit with a doctor and show this page."
)
_OVERRULES = (
    "Whatever this shows, see a doctor if the spot changes, bleeds, grows, is new, hurts, lies under a nail, or worries you. "
    "Not tested on people under 18: ask a clinician."
)
_LEFT_OUT = (
    "Left out here, and done by the app: refusing what is no lesion or no good photo, finding the lesion in the photo, "
    "how steady the answer is, and your own answers to the questions that overrule a photo."
)


def phone_files(manifest: Manifest) -> dict[str, bytes]:
    """Return the files by name: one label a line in the order of the logits, everything that decides, and the terms."""
    content = json.dumps(_description(manifest), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return {
        LABELS_FILE: ("\n".join(manifest.codes) + "\n").encode(),
        MODEL_FILE: content.encode(),
        NOTICE_FILE: f"{DISCLAIMER}\n{tested_on(manifest.phone_test)}\nLicence: {manifest.licence}\n".encode(),
    }


def _description(manifest: Manifest) -> dict[str, Any]:
    """Numbers and words as plain data; ``docs/phone/README.md`` says how to use each."""
    return {
        "name": manifest.name,
        "version": manifest.version,
        "sha256": manifest.sha256,
        "licence": manifest.licence,
        "input": {
            "image": "float32 (1, input_px, input_px, 3), RGB in [0, 255]; scaling is in the network",
            "metadata": "float32 (1, width), see metadata_unknown",
            "outputs": "output_0, output_3 ...: logits (1, n_classes) of each member, in the order of labels.txt",
        },
        "preprocess": manifest.preprocess.to_dict(),
        "metadata_fields": list(manifest.metadata_fields),
        "metadata_unknown": _unknown(manifest),
        "n_views": manifest.n_views,
        "temperature": manifest.temperature,
        "class_shares": list(manifest.class_shares),
        "sampling_shares": list(manifest.sampling_shares),
        "threshold": manifest.threshold,
        "set_90": dict(manifest.conformal["90"]),
        "ham_codes": list(HAM_CODES),
        "ham_code_of": {code: ham_code(code) for code in manifest.codes},
        "malignant": sorted(HAM_MALIGNANT),
        "names": {**HAM_PLAIN_NAMES, **{code: CLASS_BY_CODE[code].plain_name for code in manifest.codes}},
        "words": {
            "disclaimer": DISCLAIMER,
            "tested_on": tested_on(manifest.phone_test),
            "phone_photo": phone_words(manifest.phone_test),
            "p_malignant": P_MALIGNANT_NAME,
            "bars": BARS_CAPTION,
            "above": _ABOVE,
            "possible": _POSSIBLE,
            "below": _BELOW,
            "overrules": _OVERRULES,
            "left_out": _LEFT_OUT,
        },
    }


def _unknown(manifest: Manifest) -> list[float]:
    from ..domain import Metadata
    from ..model.metadata_branch import MetadataEncoder

    encoded: list[float] = MetadataEncoder(manifest.metadata_fields).encode([Metadata()])[0].tolist()
    return encoded
