"""One log format for every process, on stderr, so that stdout stays for answers."""

import logging
from datetime import UTC, datetime


def log_to_stderr(level: str) -> None:
    """Send this process's log to stderr from `level` (DEBUG, INFO, WARNING, ERROR) up."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogLines())
    logging.basicConfig(level=level, handlers=[handler])
    # The libraries report every lost connection with a traceback; our own supervisor says it in a line. And the form
    # parser reports each byte that it skips; a refusal says it once.
    for library in ("aio_pika", "aiormq", "pika", "python_multipart"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


class LogLines(logging.Formatter):
    """Lines whose times are in UTC, as the commands print them, and say so."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - its own
        """Word a record's time."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def format(self, record: logging.LogRecord) -> str:
        """Word a record."""
        # All that the server has to say comes from a logger of this name, mostly that it has started.
        if record.name == "uvicorn.error":
            record.name = "uvicorn"
        return super().format(record)
