"""The one runner of this process that works batches of the records off; started with the first page, where records exist."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import streamlit as st

from dermascan_core.errors import DermaScanError
from dermascan_core.services import failure_log
from dermascan_core.services.access import records_exist

from .model import get_predictor
from .turns import queue_of_this_server

if TYPE_CHECKING:
    from dermascan_core.services.worklist_runner import WorklistRunner


def go_on_with_batches() -> None:
    """Go on with what an earlier process left, where records are in use; whoever opens a page does not wait for it."""
    if not records_exist():
        return
    from dermascan_core.services.records import records_address

    _begun(records_address())


@st.cache_resource(max_entries=2, show_spinner=False)
def _begun(address: str) -> threading.Thread:
    thread = threading.Thread(target=_begin, args=(address,), name="open-worklist", daemon=True)
    thread.start()
    return thread


def _begin(address: str) -> None:
    try:
        _running(address)
    except DermaScanError:
        return  # the page that needs the records says what is wrong


def worklist_runner() -> WorklistRunner:
    """Return the runner of these records.

    Raises:
        StorageError: Database, key or disk stand in the way.
    """
    from dermascan_core.services.records import records_address

    return _running(records_address())


@st.cache_resource(max_entries=2, show_spinner=False, on_release=lambda runner: runner.stop(timeout_s=0.1))
def _running(address: str) -> WorklistRunner:
    """The address is the key alone: under other settings lie other records."""
    from dermascan_core.services.worklist_runner import WorklistRunner

    from .records import open_records_here

    runner = WorklistRunner(
        open_records_here(),
        get_predictor,
        queue_of_this_server(),
        on_unforeseen=_log,
    )
    runner.start()
    return runner


def _log(error: BaseException) -> None:
    failure_log.record_failure(error, what="worklist")
