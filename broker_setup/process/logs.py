"""The log of every process, on stderr, so that stdout stays for answers: lines for people, or JSON for programs.

Strangers have a part in much of what is logged: a correlation id, a reason, a name. Whatever it is, a record's words
are one line, and nothing in it means anything to a terminal.
"""

import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from ..visible import visible

# By `extra`: the message goes on in further lines, a traceback's, which are shown as such.
IN_LINES = "in_lines"
# Before what follows a record's own line, so that no text of an error looks like a record.
_FURTHER = "    "


class LogFormat(StrEnum):
    """What the log is written for."""

    TEXT = "text"
    JSON = "json"


def log_to_stderr(level: str, form: LogFormat = LogFormat.TEXT, *, is_shared: bool = False) -> None:
    """Send this process's log to stderr from `level` (DEBUG, INFO, WARNING, ERROR) up.

    Where several processes share it, each line says whose it is.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(_formatter(form, is_shared=is_shared))
    logging.basicConfig(level=level, handlers=[handler])
    # The libraries report every lost connection with a traceback; our own supervisor says it in a line. And the form
    # parser reports each byte that it skips; a refusal says it once.
    for library in ("pika", "python_multipart"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _formatter(form: LogFormat, *, is_shared: bool) -> logging.Formatter:
    if form is LogFormat.TEXT:
        return LogLines(is_shared=is_shared)
    from .json_logs import JsonLines  # noqa: PLC0415 - a grader's process starts without

    return JsonLines(is_shared=is_shared)


class LogLines(logging.Formatter):
    """Lines whose times are in UTC, as the commands print them, and say so."""

    def __init__(self, *, is_shared: bool = False) -> None:
        """`is_shared`: other processes write into the same log."""
        whose = "[%(process)d] " if is_shared else ""
        super().__init__(f"%(asctime)s %(levelname)s {whose}%(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - its own
        """Word a record's time."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - its own
        """Word the message, after when, how bad and where from: one line, or with a traceback of ours in it several."""
        text = super().formatMessage(record).rstrip("\n")
        first, mark, further = text.partition("\n") if getattr(record, IN_LINES, False) else (text, "", "")
        return visible(first) + mark + (_further(further) if mark else "")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - its own
        """Word an error with its traceback."""
        return _further(super().formatException(ei))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - its own
        """Word where a record was made."""
        return _further(super().formatStack(stack_info))

    def format(self, record: logging.LogRecord) -> str:
        """Word a record."""
        record.name = shown_logger(record.name)
        return super().format(record)


def shown_logger(name: str) -> str:
    """Say whose a record is: all that the server has to say, mostly that it has started, is of a logger for errors."""
    return "uvicorn" if name == "uvicorn.error" else name


def _further(text: str) -> str:
    return "\n".join(_FURTHER + visible(line) for line in text.split("\n"))
