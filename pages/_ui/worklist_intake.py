"""Many photos in: picker, zip files, tables, a folder of this computer; then the grid of what is known, to be corrected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dermascan_core.domain import ImageType
from dermascan_core.errors import DermaScanError
from dermascan_core.services.arrivals import (
    MAX_UPLOAD_BYTES,
    Arrival,
    Arrivals,
    from_folder,
    from_uploads,
    told_by_dicom,
)
from dermascan_core.services.metadata_table import MetadataRow, read_metadata_table
from dermascan_core.services.photo_grid import GRID_COLUMNS, Grid, LesionPlan, group_by_lesion, prefill_grid, read_grid
from dermascan_core.services.worklist import SAMPLE_METADATA_CSV
from dermascan_core.taxonomy import SITES, UNTESTED_SITES

from .frame import as_plain_text
from .local import is_local_visit
from .photos import PHOTO_TYPES, ask_image_type

_INTAKE_KEY = "triage_intake"
_EDITION_KEY = "triage_edition"  # part of the widgets' keys: another one empties them
_MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Intake:
    """What came in, and the grid that was made of it.

    Attributes:
        source: What it was made from: names and sizes, or a folder.
        arrivals: The photos.
        grid: As it was prefilled.
    """

    source: tuple[object, ...]
    arrivals: Arrivals
    grid: Grid


@dataclass(frozen=True, slots=True)
class Prepared:
    """Lesions ready to be screened.

    Attributes:
        source: As of ``Intake``: a list made from another one is out of date.
        plans: What to screen.
        photos: All photos that came in.
        image_type: What took them, unless a row says otherwise.
        problems: One sentence for each cell or row that is not used.
        unused: Names of table rows without a photo.
    """

    source: tuple[object, ...]
    plans: tuple[LesionPlan, ...]
    photos: tuple[Arrival, ...]
    image_type: ImageType
    problems: tuple[str, ...]
    unused: tuple[str, ...]


def ask_photos(*, max_photos: int) -> Intake | None:
    """Take photos in and show what is known of them; None until there are any."""
    edition = st.session_state.setdefault(_EDITION_KEY, 0)
    uploads = st.file_uploader(
        f"Photos, DICOM files, zip files (at most {max_photos:,} photos)",
        type=[*PHOTO_TYPES, "dcm", "zip"],
        accept_multiple_files=True,
        max_upload_size=MAX_UPLOAD_BYTES // 2**20,
        key=f"triage_photos_{edition}" if edition else "triage_photos",
    )
    table = st.file_uploader(
        "Metadata table (CSV, optional): image, age, sex, localization, patient_id, lesion_id",
        type=["csv", "txt", "tsv"],
        key=f"triage_table_{edition}" if edition else "triage_table",
    )
    folder = _ask_folder()
    source = (folder, *((upload.name, upload.size) for upload in uploads), getattr(table, "file_id", None))
    if not uploads and not folder:
        st.session_state.pop(_INTAKE_KEY, None)
        return None
    known: Intake | None = st.session_state.get(_INTAKE_KEY)
    if known is None or known.source != source:
        files = [(upload.name, upload) for upload in uploads]
        with st.spinner("Looking through the files"):
            arrivals = (
                from_folder(Path(folder), max_photos=max_photos)
                if folder
                else from_uploads(files, max_photos=max_photos)
            )
            known = Intake(source, arrivals, _grid(arrivals, table.getvalue() if table else None))
        st.session_state[_INTAKE_KEY] = known
    _show_left_out(known.arrivals)
    return known if known.arrivals.photos else None


def forget_photos() -> None:
    """Empty the pickers, and with them Streamlit's copies of the photos."""
    st.session_state.pop(_INTAKE_KEY, None)
    st.session_state[_EDITION_KEY] = st.session_state.get(_EDITION_KEY, 0) + 1


def _ask_folder() -> str:
    """Offer a folder of this computer to whoever sits at it, and to nobody else."""
    if not is_local_visit():
        return ""
    text = st.text_input("Or a folder on this computer", key="triage_folder", placeholder="/photos/monday").strip()
    return str(Path(text).expanduser()) if text else ""


def _grid(arrivals: Arrivals, table: bytes | None) -> Grid:
    rows: dict[str, tuple[MetadataRow, ...]] = {}
    for data in [table] if table is not None else [data for _, data in arrivals.tables]:
        rows |= read_metadata_table(data)
    names = [photo.name for photo in arrivals.photos]
    return prefill_grid(names, table=rows, told=told_by_dicom(arrivals.photos))


def _show_left_out(arrivals: Arrivals) -> None:
    if arrivals.problems:
        st.warning(listed(f"{len(arrivals.problems)} files were left out.", arrivals.problems))
    if arrivals.n_others:
        st.caption(f"{arrivals.n_others:,} other files are neither photos nor tables.")
    if not arrivals.photos:
        st.info("There are no photos in this.")


def ask_grid(intake: Intake | None) -> Prepared | None:
    """Ask what took the photos, and show the grid; return the lesions as corrected, or None until both are there."""
    image_type = ask_image_type(key="triage_image_type_choice")
    if intake is None:
        return None
    frame = pd.DataFrame([asdict(row) for row in intake.grid.rows], columns=list(GRID_COLUMNS))
    with st.expander(f"What is known of these {len(frame):,} photos: look and correct", icon=":material/edit:"):
        st.caption(
            "Empty is unknown, and always allowed. Photos of the same person and lesion are judged together. Filled in from "
            "the table, else from DICOM files, else from names such as P001_L2_1.jpg."
        )
        edited = st.data_editor(
            frame,
            column_config=_columns(),
            disabled=["photo"],
            placeholder="",
            hide_index=True,
            height=min(560, 40 + 35 * max(1, len(frame))),
            key=f"triage_grid_{abs(hash(intake.source))}",
        )
    if image_type is None:
        return None
    return _prepare(intake, edited, image_type)


def _columns() -> dict[str, Any]:
    column = st.column_config
    return {
        "photo": column.TextColumn("Photo", pinned=True),
        "person": column.TextColumn("Person", max_chars=64),
        "lesion": column.TextColumn("Lesion", max_chars=64),
        "age": column.NumberColumn("Age (years)", min_value=0, max_value=120, step=1),
        "sex": column.SelectboxColumn("Sex", options=["female", "male"]),
        "site": column.SelectboxColumn("Site", options=[*SITES, *UNTESTED_SITES]),
        "width_mm": column.NumberColumn("Width (mm)", min_value=0.1, max_value=500.0),
        "image_type": column.SelectboxColumn("Taken by", options=[kind.value for kind in ImageType]),
    }


def _prepare(intake: Intake, edited: pd.DataFrame, image_type: ImageType) -> Prepared:
    cells = [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in edited.to_dict("records")
    ]
    plans, problems = read_grid(cells, intake.grid, image_type=image_type)
    lesions, differences = group_by_lesion(plans)
    n_grouped = len(plans) - len(lesions)
    if n_grouped:
        st.caption(f"{len(plans):,} photos of {len(lesions):,} lesions: photos of one lesion are judged together.")
    return Prepared(
        source=intake.source,
        plans=tuple(lesions),
        photos=intake.arrivals.photos,
        image_type=image_type,
        problems=(*problems, *differences),
        unused=intake.grid.unused,
    )


def show_unused(problems: Sequence[str], unused: Sequence[str]) -> None:
    """Say which rows and cells were not used."""
    if problems:
        n_rows = f"{len(problems)} {'row' if len(problems) == 1 else 'rows'}"
        st.warning(listed(f"{n_rows} of the table could not be used in full.", problems))
    if unused:
        st.info(
            "Rows of the table without a photo here: " + ", ".join(as_plain_text(key) for key in unused[:_MAX_SHOWN])
        )


def listed(head: str, sentences: Sequence[str]) -> str:
    """Return sentences as Markdown under a head, the first twenty of them."""
    lines = [f"- {as_plain_text(sentence, max_chars=400)}" for sentence in sentences[:_MAX_SHOWN]]
    more = [f"- and {len(sentences) - _MAX_SHOWN:,} more"] if len(sentences) > _MAX_SHOWN else []
    return "\n".join([f"**{head}**\n", *lines, *more])


def offer_sample_table() -> None:
    """Offer a table to fill in."""
    st.download_button(
        "Download a sample table (CSV)",
        data=SAMPLE_METADATA_CSV,
        file_name="metadata-sample.csv",
        mime="text/csv",
        on_click="ignore",
        key="download_sample",
    )


def take_photos_in(*, max_photos: int) -> tuple[Intake | None, str]:
    """As ``ask_photos``, with a refusal of the whole upload as a sentence beside it."""
    try:
        return ask_photos(max_photos=max_photos), ""
    except DermaScanError as error:
        return None, str(error)
