"""What a broker call's error says to an operator: its text on one line, and words for those that bring none."""

import asyncio


def in_words(error: BaseException | None) -> str:
    """Say why a call failed or a connection ended; None: nobody said why."""
    # aiormq wraps the CancelledError with which it ends the calls of a connection that goes away in another.
    if error is None or isinstance(error, asyncio.CancelledError):
        return "the connection was lost"
    words = " ".join(str(error).split())
    if words:
        return words
    return "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
