"""What a clinician hands on of one screening: a page to read, and a record for the clinic's system.

Both add the release of the weights, which a screening names by its checksum alone.
"""

from __future__ import annotations

import json

from ..domain import Screening
from ..interop.fhir_out import screening_to_bundle
from ..model.manifest import Manifest
from ..reports.card import render_card
from ..triage.wording import Voice


def clinician_page(screening: Screening, manifest: Manifest, *, photo_index: int = 0) -> bytes:
    """Return the clinician's report as one A4 page, PNG; see ``reports.card.render_card``."""
    return render_card(
        screening, photo_index=photo_index, voice=Voice.CLINICIAN, model_version=_version(screening, manifest)
    )


def fhir_record(screening: Screening, manifest: Manifest) -> str:
    """Return the screening as JSON text of an HL7 FHIR R4 Bundle; see ``interop.fhir_out.screening_to_bundle``."""
    bundle = screening_to_bundle(screening, model_version=_version(screening, manifest))
    return json.dumps(bundle, indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _version(screening: Screening, manifest: Manifest) -> str | None:
    """The release that answered; None where the manifest at hand is of other weights."""
    return manifest.version if manifest.sha256 == screening.model_sha256 else None
