"""What a clinician hands on names the release of the weights, and only where it is the one that answered."""

from __future__ import annotations

import json

import pytest

from dermascan_core.interop.fhir_out import screening_to_bundle
from dermascan_core.reports import card
from dermascan_core.services import handover
from tests.fakes import fake_manifest
from tests.reports.test_export import SCREENING

ANSWERED_BY = fake_manifest(sha256=SCREENING.model_sha256, version="2.1")


def test_record_is_the_bundle_with_the_release_that_answered() -> None:
    record = json.loads(handover.fhir_record(SCREENING, ANSWERED_BY))

    assert record == screening_to_bundle(SCREENING, model_version="2.1")


def test_release_of_other_weights_is_not_named() -> None:
    record = json.loads(handover.fhir_record(SCREENING, fake_manifest(version="2.1")))

    assert record == screening_to_bundle(SCREENING, model_version=None)


@pytest.mark.parametrize(("manifest", "name"), [(ANSWERED_BY, "dermascan 2.1,"), (fake_manifest(), "dermascan,")])
def test_page_names_the_release_that_answered(manifest, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    write = card.Page.write
    monkeypatch.setattr(
        card.Page, "write", lambda page, text, **how: (written.append(text), write(page, text, **how))[1]
    )

    png = handover.clinician_page(SCREENING, manifest)

    assert png.startswith(b"\x89PNG")
    assert any(f"Model {name} engine keras" in text for text in written)
    assert any("report for the clinician" in text for text in written)
