"""Failures nobody foresaw: the log gets the traceback, the person gets an id to report."""

from __future__ import annotations

import secrets
import traceback
from datetime import UTC, datetime
from pathlib import Path

LOG_FILE = Path(__file__).resolve().parents[2] / "data" / "dermascan.log"


def record_failure(error: BaseException, *, what: str, log_file: Path = LOG_FILE) -> str:
    """Append an error with its traceback to the log.

    Args:
        error: What was raised.
        what: What was being done, such as the command line; no answers of a person.
        log_file: Made, with its folder, if need be.

    Returns:
        A sentence for the person, with the id under which the log has it.
    """
    log_id = secrets.token_hex(4)
    trace = "".join(traceback.format_exception(error))
    where = f"in '{log_file}'"
    try:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        with log_file.open("a", encoding="utf-8") as log:
            log.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {log_id} {what}\n{trace}\n")
    except OSError:
        where = "which could not be written to the log"
    return (
        f"Something unexpected went wrong ({type(error).__name__}). It has the id {log_id}, {where}. "
        "Please report it with that part of the log."
    )
