"""What leaves of a list: CSV, JSONL and PDF, made when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from dermascan_core.model.manifest import Manifest
from dermascan_core.reports.worklist_pdf import PdfRow, worklist_to_pdf
from dermascan_core.services.performance import calm_rate
from dermascan_core.services.worklist import WorklistEntry, calm_summary, to_csv, to_jsonl, worklist_records
from dermascan_core.triage.reading_order import calm_words, to_read_words
from dermascan_core.triage.wording import Voice, step_title, tested_on

Records = Mapping[str, Sequence[Mapping[str, Any]]]


def offer_downloads(
    ranked: Sequence[WorklistEntry],
    *,
    key: str,
    manifest: Manifest,
    made_by: str,
    records_of: Callable[[], Records],
    picture_of: Callable[[WorklistEntry], bytes],
) -> None:
    """Offer the list in three forms.

    Args:
        ranked: The whole list, whatever a filter shows.
        key: Of the widgets.
        manifest: Of the model that answered.
        made_by: Model, program and time, for the foot of the PDF.
        records_of: Gives what each photo's line says; called when somebody wants it.
        picture_of: Gives an entry's small JPEG.
    """

    def records() -> list[dict[str, Any]]:
        return worklist_records(ranked, records_of())

    with st.container(horizontal=True):
        _offer("CSV", lambda: to_csv(records(), manifest.codes), "csv", "text/csv", key)
        _offer("JSONL", lambda: to_jsonl(records()), "jsonl", "application/x-ndjson", key)
        _offer("PDF", lambda: _pdf(ranked, manifest, made_by, picture_of), "pdf", "application/pdf", key)


def _offer(name: str, make: Callable[[], str | bytes], ending: str, mime: str, key: str) -> None:
    st.download_button(
        f"Download the list ({name})",
        data=make,
        file_name=f"dermascan-triage.{ending}",
        mime=mime,
        on_click="ignore",
        key=f"{key}_{ending}",
        icon=":material/download:",
    )


def _pdf(
    ranked: Sequence[WorklistEntry], manifest: Manifest, made_by: str, picture_of: Callable[[WorklistEntry], bytes]
) -> bytes:
    calm = calm_summary(ranked, calm_rate(manifest))
    said = [calm_words(calm.n_calm, calm.n_all, n_low=calm.n_low, rate=calm.rate)]
    said += [to_read_words(calm.n_flagged, calm.n_calm)] if calm.n_flagged else []
    said.append(tested_on(manifest.phone_test))
    said.append(
        "The order comes from photos and table alone: nobody was asked about warning signs beyond what the table says. "
        "What could not be assessed stands right below what is urgent, and is no reassurance."
    )
    rows = [
        PdfRow(
            rank=number,
            step=step_title(entry.next_step, Voice.CLINICIAN),
            who=", ".join(filter(None, (entry.person, entry.lesion))),
            files=", ".join(entry.names),
            notes=" ".join(filter(None, ("Drawn to be read." if entry.is_flagged else "", entry.reason))),
            thumbnail=picture_of(entry),
        )
        for number, entry in enumerate(ranked, start=1)
    ]
    return worklist_to_pdf(rows, title="Ranked list", made_by=made_by, paragraphs=said)
