"""The server's log: one JSON object a line, about requests and never about persons, photos or answers."""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger


def start_log(stream: TextIO = sys.stderr) -> FilteringBoundLogger:
    """Send what this server and its libraries say to a stream, as JSON lines; returns the log."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        keep_frames_only,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        )
    )
    for name, level in (("dermascan", logging.INFO), ("uvicorn", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)
    # Streamlit, where it was imported before, gave these handlers of its own, which quote an exception's message.
    for name in ("uvicorn.access", "uvicorn.asgi", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(logging.NOTSET)
    log: FilteringBoundLogger = structlog.wrap_logger(
        logging.getLogger("dermascan"),
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return log


def keep_frames_only(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Replace an exception by its type and where it came from: its message may quote what was sent."""
    info = event.pop("exc_info", None)
    error = sys.exc_info()[1] if info is True else info[1] if isinstance(info, tuple) else info
    record = event.get("_record")
    if record is not None and record.exc_info:
        error, record.exc_info, record.exc_text = record.exc_info[1], None, None
    if isinstance(error, BaseException):
        event["error"] = type(error).__name__
        event["frames"] = [
            f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        ]
    return event
