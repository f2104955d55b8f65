"""A log for programs: a JSON object in each line, the same fields in all.

`time` (UTC), `level`, `logger`, `message`; `process`, where several share the log; `error`, with a traceback; and what
the line is about, where it has one: `uuid` (of a submission), `queue`, `origin` (an LMS), `reason`, `by` (an account).
"""

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.msgspec import MsgspecFormatter

from ..visible import visible
from .logs import IN_LINES, shown_logger

# What our lines say beside their message, by `extra`.
ABOUT = ("uuid", "queue", "origin", "reason", "by")


class JsonLines(MsgspecFormatter):
    """Writes a record as JSON; what strangers wrote means nothing to a terminal."""

    def __init__(self, *, is_shared: bool = False) -> None:
        """`is_shared`: other processes write into the same log."""
        super().__init__()
        self._is_shared = is_shared

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill in all fields of a record."""
        at = datetime.fromtimestamp(record.created, UTC)
        log_data["time"] = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        log_data["level"] = record.levelname
        log_data["logger"] = shown_logger(record.name)
        if self._is_shared:
            log_data["process"] = record.process
        message, further = record.message, ""
        if getattr(record, IN_LINES, False):
            message, _, further = message.partition("\n")
        log_data["message"] = visible(message)
        for name in ABOUT:
            if value := getattr(record, name, None):
                log_data[name] = visible(str(value))
        if record.exc_info:
            further = logging.Formatter.formatException(self, record.exc_info)
        if further:
            log_data["error"] = visible(further, keep="\n")
