"""What the log tells of a submission that a newer one has superseded: its end, in one line."""

import logging

log = logging.getLogger(__name__)


def tell_superseded(submission: bytes, by: bytes, queue: str) -> None:
    """Log that a submission leaves its queue ungraded."""
    words = "submission %s: superseded by %s"
    log.info(words, submission.hex(), by.hex(), extra={"uuid": submission.hex(), "queue": queue})
