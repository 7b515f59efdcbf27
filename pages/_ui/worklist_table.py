"""A ranked list to look through: filters, table or gallery, a page at a time, so that 5,000 entries cost what 50 do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from dermascan_core.domain import CalmRate, NextStep
from dermascan_core.services.thumbnails import data_address
from dermascan_core.services.worklist import WorklistEntry, WorklistFilter, calm_summary, matching, step_counts
from dermascan_core.triage.reading_order import ONE_LOOK, ORDER_ONLY, calm_words, to_read_words
from dermascan_core.triage.shown import percent_words
from dermascan_core.triage.wording import BARS_CAPTION, Voice, class_name, step_title

from .frame import as_plain_text

ROWS_A_PAGE = 50
TILES_A_PAGE = 24
# A share is never shown as none or as all.
_LEAST_SHOWN = 0.001
_SHARE_COLUMN = st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.1f %%")
ENDS_NOTE = "0.1 % stands for that or less, 99.9 % for that or more."
_VIEWS = {"table": "Table", "gallery": "Gallery"}
Numbered = tuple[int, WorklistEntry]


class WorklistView:
    """How a list is shown, and what can be done with an entry.

    Args:
        key: Of its widgets; each list its own.
        voice: Who is spoken to.
        picture_of: Gives an entry's small JPEG; asked for the entries of one page alone.
        is_order_only: Leave out what the model found, so that whoever reads forms their own opinion first.
        has_readings: Whether entries are read by clinicians, so that it can be filtered by.
        on_open: Opens an entry's case; None where there is nothing to open.
        on_take_off: Takes an entry off the list; None where nobody may.
    """

    def __init__(
        self,
        *,
        key: str,
        voice: Voice,
        picture_of: Callable[[WorklistEntry], bytes],
        is_order_only: bool = False,
        has_readings: bool = False,
        on_open: Callable[[WorklistEntry], None] | None = None,
        on_take_off: Callable[[WorklistEntry], None] | None = None,
    ) -> None:
        self.key, self.voice, self.picture_of = key, voice, picture_of
        self.is_order_only, self.has_readings = is_order_only, has_readings
        self.on_open, self.on_take_off = on_open, on_take_off

    def show(self, ranked: Sequence[WorklistEntry], *, rate: CalmRate | None) -> None:
        """Show what the list says as a whole, then the entries.

        Args:
            ranked: In reading order.
            rate: How often the model's low answers were wrong in its test; None where nothing was measured.
        """
        self._show_summary(ranked, rate)
        self._show_entries(ranked)

    def _show_summary(self, ranked: Sequence[WorklistEntry], rate: CalmRate | None) -> None:
        counts = step_counts(ranked)
        st.markdown(
            " | ".join(f"{step_title(step, self.voice)}: **{n:,}**" for step, n in counts.items()) or "Nothing yet."
        )
        if n_refused := counts.get(NextStep.NOT_ASSESSED, 0):
            st.warning(
                f"**{n_refused:,} of {len(ranked):,} {_were(n_refused)} not assessed. That is no reassurance.** They stand "
                "right below what is urgent.",
                icon=":material/visibility_off:",
            )
        calm = calm_summary(ranked, rate)
        st.markdown(f"**{calm_words(calm.n_calm, calm.n_all, n_low=calm.n_low, rate=calm.rate)}**")
        if calm.n_flagged:
            st.markdown(f":material/flag: {to_read_words(calm.n_flagged, calm.n_calm)}")
        st.caption(ONE_LOOK)
        if self.is_order_only:
            st.caption(ORDER_ONLY)

    @st.fragment
    def _show_entries(self, ranked: Sequence[WorklistEntry]) -> None:
        """A fragment: a filter or another page sends these rows anew and nothing else."""
        wanted, view = self._ask_filter(ranked)
        found = matching(ranked, wanted)
        if not found:
            st.info("No entry is like that. Change the filter.", icon=":material/filter_alt_off:")
            return
        page, n_pages = self._page_of(found, TILES_A_PAGE if view == "gallery" else ROWS_A_PAGE, wanted)
        if view == "gallery":
            self._show_gallery(page)
        else:
            self._show_table(page)
        if n_pages > 1:
            st.pagination(n_pages, key=self._page_key(wanted, view), width="stretch")

    def _ask_filter(self, ranked: Sequence[WorklistEntry]) -> tuple[WorklistFilter, str]:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            view = st.segmented_control(
                "View",
                list(_VIEWS),
                format_func=_VIEWS.__getitem__,
                default="table",
                required=True,
                key=f"{self.key}_view",
            )
            text = st.text_input(
                "Search file, person or lesion",
                key=f"{self.key}_text",
                max_chars=80,
                width=240,
                icon=":material/search:",
            )
            steps = st.multiselect(
                "Next step",
                list(step_counts(ranked)),
                format_func=lambda step: step_title(step, self.voice),
                key=f"{self.key}_steps",
                width=260,
            )
            site = st.selectbox(
                "Site",
                ["", *sorted({entry.site for entry in ranked} - {""})],
                key=f"{self.key}_site",
                width=160,
                format_func=lambda name: name or "All sites",
            )
            is_flagged = st.toggle(
                "Flagged", key=f"{self.key}_flagged", help="Calm ones drawn by lot, to be read all the same."
            )
            is_unread = self.has_readings and st.toggle("Unread", key=f"{self.key}_unread")
        return WorklistFilter(tuple(steps), site or "", bool(is_unread), bool(is_flagged), text or ""), str(view)

    def _page_key(self, wanted: WorklistFilter, view: str) -> str:
        return f"{self.key}_page_{view}_{abs(hash(wanted))}"  # another filter begins at its first page

    def _page_of(self, found: Sequence[Numbered], size: int, wanted: WorklistFilter) -> tuple[Sequence[Numbered], int]:
        view = "gallery" if size == TILES_A_PAGE else "table"
        n_pages = -(-len(found) // size)
        number = min(int(st.session_state.get(self._page_key(wanted, view)) or 1), n_pages)
        start = (number - 1) * size
        st.caption(f"{start + 1:,} to {min(start + size, len(found)):,} of {len(found):,}")
        return found[start : start + size], n_pages

    def _show_table(self, page: Sequence[Numbered]) -> None:
        can_choose = self.on_open is not None or self.on_take_off is not None
        shown = st.dataframe(
            _without_empty([self._row(number, entry) for number, entry in page]),
            column_config={
                "photo": st.column_config.ImageColumn(width="small"),
                "cancer or pre-cancer": _SHARE_COLUMN,
                "its share": _SHARE_COLUMN,
                "notes": st.column_config.TextColumn(width="large"),
            },
            row_height=64,
            height=min(760, 40 + 64 * len(page)),
            hide_index=True,
            # Another page of rows is another table: a row chosen on the last one must not stay chosen.
            key=f"{self.key}_rows_{page[0][1].key}_{len(page)}" if can_choose else f"{self.key}_rows",
            on_select="rerun" if can_choose else "ignore",
            selection_mode="single-row",
        )
        if not self.is_order_only:
            st.caption(f"{BARS_CAPTION} {ENDS_NOTE}")
        chosen = list(getattr(shown, "selection", {}).get("rows", [])) if can_choose else []
        if chosen and chosen[0] < len(page):
            self._show_chosen(*page[chosen[0]])
        elif can_choose:
            st.caption("Choose a row by the box at its left end.")

    def _row(self, number: int, entry: WorklistEntry) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not self.is_order_only:
            found = {
                "cancer or pre-cancer": shown_percent(entry.p_malignant),
                "shown first": class_name(entry.predicted, self.voice) if entry.predicted else "",
                "its share": shown_percent(entry.p_predicted),
            }
        return {
            "rank": number,
            "photo": data_address(self.picture_of(entry)) or None,
            "next step": step_title(entry.next_step, self.voice),
            **found,
            "flag": "to read" if entry.is_flagged else "",
            **({"read": "read" if entry.is_read else ""} if self.has_readings else {}),
            "person": entry.person,
            "lesion": entry.lesion,
            "site": entry.site,
            "file": entry.names[0] if len(entry.names) == 1 else f"{entry.names[0]} and {len(entry.names) - 1} more",
            "status": str(entry.status),
            "notes": entry.reason,
        }

    def _show_chosen(self, number: int, entry: WorklistEntry) -> None:
        with st.container(horizontal=True, vertical_alignment="center", border=True, key=f"{self.key}_chosen"):
            st.markdown(f"**{number}.** {as_plain_text(entry.names[0])}: {step_title(entry.next_step, self.voice)}")
            self._offer(entry)

    def _offer(self, entry: WorklistEntry) -> None:
        can_open = self.on_open is not None and entry.screening_id
        if can_open and st.button("Read this case", key=f"{self.key}_open_{entry.key}", icon=":material/stethoscope:"):
            assert self.on_open is not None, "asked for above"
            self.on_open(entry)
        if self.on_take_off is not None and st.button(
            "Take off the list", key=f"{self.key}_off_{entry.key}", icon=":material/playlist_remove:"
        ):
            self.on_take_off(entry)
            st.rerun()  # the whole page: a callback would run this fragment alone again, and the undo stands outside

    def _show_gallery(self, page: Sequence[Numbered]) -> None:
        with st.grid(min_column_width=150, key=f"{self.key}_gallery"):
            for number, entry in page:
                with st.container(border=True, key=f"{self.key}-tile-{entry.key}"):
                    self._show_tile(number, entry)

    def _show_tile(self, number: int, entry: WorklistEntry) -> None:
        title = step_title(entry.next_step, self.voice)
        if picture := self.picture_of(entry):
            st.image(picture, width="stretch", alt=f"Photo {number}: {title}")
        else:
            st.markdown(":material/image_not_supported: No picture")
        marks = " :material/flag:" if entry.is_flagged else ""
        marks += " :material/done:" if entry.is_read else ""
        share = "" if self.is_order_only or entry.p_malignant is None else f", {percent_words(entry.p_malignant)}"
        st.markdown(f"**{number}.** {title}{share}{marks}")
        st.caption(as_plain_text(" ".join(filter(None, (entry.person, entry.lesion))) or entry.names[0], max_chars=28))
        self._offer(entry)


def _without_empty(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out optional columns that say nothing on this page: on a phone each costs a swipe."""
    empty = [name for name in ("flag", "read", "person", "lesion", "site") if not any(row.get(name) for row in rows)]
    return [{name: value for name, value in row.items() if name not in empty} for row in rows]


def shown_percent(share: float | None) -> float | None:
    """Return a share as the percentage that ``_SHARE_COLUMN`` shows."""
    return None if share is None else 100 * min(max(share, _LEAST_SHOWN), 1 - _LEAST_SHOWN)


def _were(n: int) -> str:
    return "was" if n == 1 else "were"
