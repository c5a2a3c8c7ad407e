"""Log lines to standard error, as text for people or as one JSON object a line for collectors.

Owns the root logger. Promises that every line, tracebacks and foreign libraries' messages included, passes `scrub`: it is
applied to the finished line, so nothing can get around it. Will not write files or rotate: whoever runs the process does.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

from dialer.telemetry.masking import scrub

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
# These bring their own handlers; their lines take the same way as everybody's.
_FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.access", "arq", "alembic")


def _at(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        # Left to itself, logging would print the arguments that do not fit to standard error, unmasked.
        return f"{record.msg} {record.args}"


class _Formatter(logging.Formatter):
    def __init__(self, role: str) -> None:
        super().__init__()
        self.role = role

    def trace(self, record: logging.LogRecord) -> str:
        """The record's traceback and stack, or an empty string."""
        parts = [self.formatException(record.exc_info)] if record.exc_info else []
        if record.stack_info:
            parts.append(self.formatStack(record.stack_info))
        return "\n".join(parts)


class TextFormatter(_Formatter):
    """`2026-01-31T12:00:00.000Z INFO worker dialer.flows.place: message key=value`; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        extras = "".join(f" {key}={value}" for key, value in _extras(record).items())
        # One event is one line: a message must not be able to forge the next.
        message = (_message(record) + extras).replace("\r", "\\r").replace("\n", "\\n")
        trace = self.trace(record)
        line = f"{_at(record)} {record.levelname} {self.role} {record.name}: {message}"
        return scrub(f"{line}\n{trace}" if trace else line)


class JsonFormatter(_Formatter):
    """One object a line: at, level, role, logger, message, `exception` if there is one, and the record's extra fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "role": self.role,
            "logger": record.name,
            "message": _message(record),
        }
        if trace := self.trace(record):
            line["exception"] = trace
        return scrub(json.dumps(_extras(record) | line, ensure_ascii=False, default=str))


def configure(
    level: Literal["debug", "info", "warning", "error"] = "info",
    format: Literal["text", "json"] = "text",
    role: str = "dialer",
) -> None:
    """Send every logger's lines to standard error. Called once per process, before anything logs; again replaces it.

    `role` names the process in each line (api, scheduler, worker, up).
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(role) if format == "json" else TextFormatter(role))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _FOREIGN:
        logger = logging.getLogger(name)
        logger.handlers = []
        logger.propagate = True
    # An access line per callback would be most of the log of a busy day; alembic lists its plugins at every start.
    for name in ("uvicorn.access", "alembic.runtime.plugins"):
        logging.getLogger(name).setLevel(logging.DEBUG if level == "debug" else logging.WARNING)
