"""One log format for every process, on stderr, so that stdout stays for answers."""

import logging


def log_to_stderr(level: str) -> None:
    """Send this process's log to stderr from `level` (DEBUG, INFO, WARNING, ERROR) up."""
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The libraries report every lost connection with a traceback; our own supervisor says it in a line. And the form
    # parser reports each byte that it skips; a refusal says it once.
    for library in ("aio_pika", "aiormq", "pika", "python_multipart"):
        logging.getLogger(library).setLevel(logging.CRITICAL)
