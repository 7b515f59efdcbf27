"""``python -m dermascan_core COMMAND``: says what was asked, calls one service, says what came of it.

Exit 0 when the command did its work (refused photos are work), 1 for a failure, 2 for wrong arguments. Everything
heavy is imported inside the commands, so that ``--help`` is instant.
"""

from __future__ import annotations

import sys
from types import TracebackType

import typer

from . import (  # noqa: F401  # each registers its commands
    accounts,
    answers,
    audit,
    cases,
    compression,
    data,
    data_import,
    dicom,
    drift,
    evaluation,
    experiments,
    export,
    gate,
    learning,
    models,
    moles,
    records,
    repeatability,
    screening,
    serving,
    training,
    upkeep,
    worklist,
)
from .common import PROGRAM, app
from .quiet_start import hide_start_up_lines

__all__ = ["app", "main"]

# Each registers its commands when it is imported.
SUBJECTS = (
    *(
        accounts,
        answers,
        audit,
        cases,
        data,
        data_import,
        dicom,
        drift,
        evaluation,
        experiments,
        gate,
        learning,
        models,
        moles,
        records,
    ),
    *(repeatability, screening, serving, training, upkeep, worklist),
)


def main() -> None:
    """Run the command line. A failure nobody foresaw goes to the log; the user sees its id and no traceback."""
    hide_start_up_lines()
    sys.excepthook = _log_unexpected
    typer.main.get_command(app)(prog_name=PROGRAM)


def _log_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from ..services.failure_log import record_failure

    typer.echo(f"Error: {record_failure(error.with_traceback(trace), what=' '.join(sys.argv[1:]))}", err=True)
