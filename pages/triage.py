"""Triage: many photos at once, one a lesion, ranked by who should be looked at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from dermascan_core.domain import ImageType, PhoneTest
from dermascan_core.errors import DermaScanError, TableError
from dermascan_core.imaging.decode import MAX_SIZE_BYTES
from dermascan_core.services.batch import BatchItem, MetadataTable, rank_for_triage, read_metadata_table, screen_each
from dermascan_core.services.worklist import SAMPLE_METADATA_CSV, WorklistRow, worklist_csv, worklist_rows
from dermascan_core.tables import photo_key
from dermascan_core.triage.frequencies import LOW_ANSWERS_MISS
from dermascan_core.triage.wording import BARS_CAPTION, Voice, calm_rate_words, class_name, phone_words, step_title
from pages._ui.frame import Width, as_plain_text, failures_told, page_frame
from pages._ui.model import choose_model, get_predictor
from pages._ui.photos import PHOTO_TYPES, ask_image_type
from pages._ui.turns import wait_for_turn

_BATCH_KEY = "triage_items"
_MAX_PHOTOS = 200


def show_page() -> None:
    voice = page_frame("Triage: many photos, most urgent first", width=Width.TABLE)
    st.markdown(
        "One photo a lesion. The order comes from the photos and the table alone: nobody was asked about warning signs "
        "beyond what the table says, so a calm row calms nobody."
    )
    uploads = st.file_uploader(
        f"Photos (at most {_MAX_PHOTOS})",
        type=list(PHOTO_TYPES),
        accept_multiple_files=True,
        max_upload_size=MAX_SIZE_BYTES // 2**20,
        key="triage_photos",
    )
    table_file = st.file_uploader(
        "Metadata table (CSV, optional): image, age, sex, localization", type=["csv", "txt", "tsv"], key="triage_table"
    )
    image_type = ask_image_type(key="triage_image_type_choice")
    model_name = choose_model(voice, key="triage_model")
    if st.button("Rank these photos", type="primary", key="rank", icon=":material/sort:"):
        st.session_state.pop(_BATCH_KEY, None)  # an old list under a new failure would be taken for the new one
        _rank([(upload.name, upload.getvalue()) for upload in uploads], table_file, image_type, model_name)
    batch: _Batch | None = st.session_state.get(_BATCH_KEY)
    if batch is None:
        _show_empty_state()
    elif uploads and _names(uploads) != batch.uploads:
        st.info("The photos above changed since the last ranking. Rank them again.", icon=":material/sort:")
        _offer_deletion()
    else:
        _show_worklist(batch, voice)
        _offer_deletion()


@dataclass(frozen=True, slots=True)
class _Batch:
    """A ranking and what it was made from.

    Attributes:
        items: Most urgent first.
        uploads: Name and size of each photo, as uploaded.
        image_type: What took the photos.
        unused_rows: Keys of table rows without a photo.
        codes: The model's classes, for the table to download.
        phone_test: What was measured of it on phone photos.
    """

    items: Sequence[BatchItem]
    uploads: tuple[tuple[str, int], ...]
    image_type: ImageType
    unused_rows: Sequence[str]
    codes: tuple[str, ...]
    phone_test: PhoneTest | None


def _names(uploads: Sequence[Any]) -> tuple[tuple[str, int], ...]:
    return tuple((upload.name, upload.size) for upload in uploads)


def _offer_deletion() -> None:
    st.button("Delete this list", key="delete_list", icon=":material/delete:", on_click=_delete_list)


def _delete_list() -> None:
    st.session_state.pop(_BATCH_KEY, None)


def _rank(
    pictures: Sequence[tuple[str, bytes]], table_file: object, image_type: ImageType | None, model_name: str
) -> None:
    if not pictures or image_type is None:
        st.error("Add photos and say what took them, then rank them.")
        return
    if len(pictures) > _MAX_PHOTOS:
        st.error(
            f"Expected at most {_MAX_PHOTOS} photos on this page. Received {len(pictures)}. Rank them in parts, or use "
            "the command line: python -m dermascan_core screen FOLDER --out result.csv"
        )
        return
    try:
        metadata = _read_table(table_file)
    except TableError as error:
        st.error(str(error))
        return
    try:
        items = _screen_all(pictures, metadata, image_type, model_name)
    except DermaScanError as error:
        st.error(str(error))
        return
    keys = {photo_key(name) for name, _ in pictures}
    manifest = get_predictor(model_name).manifest
    st.session_state[_BATCH_KEY] = _Batch(
        items=rank_for_triage(items),
        uploads=tuple((name, len(data)) for name, data in pictures),
        image_type=image_type,
        unused_rows=[key for key in metadata or {} if key not in keys],
        codes=manifest.codes,
        phone_test=manifest.phone_test,
    )


def _read_table(table_file: object) -> MetadataTable | None:
    return None if table_file is None else read_metadata_table(table_file.getvalue())  # type: ignore[attr-defined]


def _screen_all(
    pictures: Sequence[tuple[str, bytes]], metadata: MetadataTable | None, image_type: ImageType, model_name: str
) -> list[BatchItem]:
    bar = st.progress(0.0, text="Getting the model ready")
    items = []
    predictor = get_predictor(model_name)
    with wait_for_turn(lambda words: bar.progress(0.0, text=words)):
        for item in screen_each(pictures, predictor=predictor, metadata=metadata, image_type=image_type):
            items.append(item)
            bar.progress(len(items) / len(pictures), text=f"{len(items)} of {len(pictures)} photos")
    bar.empty()
    return items


def _show_worklist(batch: _Batch, voice: Voice) -> None:
    rows = worklist_rows(batch.items)
    st.header("Who to look at first")
    if batch.image_type is ImageType.CLINICAL:
        st.warning(phone_words(batch.phone_test), icon=":material/smartphone:")
    st.dataframe(
        [_table_row(row, voice) for row in rows],
        column_config={
            "photo": st.column_config.ImageColumn(width="small"),
            "cancer or pre-cancer": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f %%"),
            "its share": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.0f %%"),
            "notes": st.column_config.TextColumn(width="large"),
        },
        row_height=64,
        hide_index=True,
        key="worklist",
    )
    st.caption(BARS_CAPTION)
    rates = (calm_rate_words(item.screening, item.screening.photos[0]) for item in batch.items)
    if rate := next((words for words in rates if words), None):
        st.markdown(f"**{rate}** {LOW_ANSWERS_MISS}")
    st.download_button(
        "Download the ranked table (CSV)",
        data=lambda: worklist_csv(batch.items, batch.codes),
        file_name="dermascan-triage.csv",
        mime="text/csv",
        on_click="ignore",
        key="download_worklist",
    )
    _show_problems(rows, batch.unused_rows)
    first = batch.items[0].screening
    st.caption(
        f"Model {as_plain_text(first.model)}, engine {first.engine}, weights {first.model_sha256[:12]}, "
        f"program {as_plain_text(first.app_version)}"
    )


def _table_row(row: WorklistRow, voice: Voice) -> dict[str, object]:
    return {
        "rank": row.rank,
        "photo": row.thumbnail or None,
        "cancer or pre-cancer": row.p_malignant_percent,
        "next step": step_title(row.next_step, voice),
        "shown first": class_name(row.predicted, voice) if row.predicted else "",
        "its share": row.p_predicted_percent,
        "file": row.name,
        "status": str(row.status),
        "notes": row.reason,
    }


def _show_problems(rows: Sequence[WorklistRow], unused: Sequence[str]) -> None:
    refused = [row for row in rows if not row.predicted]
    if refused:
        listed = "\n".join(
            f"- {as_plain_text(row.name)}: {as_plain_text(row.reason, max_chars=400)}" for row in refused
        )
        st.warning(f"**{len(refused)} of {len(rows)} photos were not assessed. That is no reassurance.**\n\n{listed}")
    with_errors = [row for row in rows if row.predicted and "metadata table" in row.reason]
    if with_errors:
        listed = "\n".join(
            f"- {as_plain_text(row.name)}: {as_plain_text(row.reason, max_chars=400)}" for row in with_errors
        )
        st.warning(f"**{len(with_errors)} rows of the table were not used.**\n\n{listed}")
    if unused:
        st.info("Rows of the table without a photo here: " + ", ".join(as_plain_text(key) for key in unused[:20]))


def _show_empty_state() -> None:
    st.info(
        "Nothing ranked yet. Add photos above. A table is optional: its rows name the photo and what is known.",
        icon=":material/inbox:",
    )
    st.download_button(
        "Download a sample table (CSV)",
        data=SAMPLE_METADATA_CSV,
        file_name="metadata-sample.csv",
        mime="text/csv",
        on_click="ignore",
        key="download_sample",
    )


with failures_told("triage"):
    show_page()
