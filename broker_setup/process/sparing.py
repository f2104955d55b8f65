"""Bounds what strangers can have written into a log: so many lines of a kind in a minute, and then how many more.

For loggers whose lines anybody can cause who reaches the port; what those cause who have an account is an operator's to
see, line by line.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic

# Enough to see what it is and from where; 20 lines of 300 bytes a minute are 9 MB a day.
MOST_LINES = 20
SECONDS = 60.0


@dataclass(slots=True)
class _Minute:
    began: float
    lines: int = 0
    unsaid: int = 0


class Sparing(logging.Filter):
    """Lets a few records of a kind pass: the text in our code, before anything is put into it, and its `kind`.

    A line whose text says too little names its kind itself, by `extra={"kind": ...}`: one of few, none of a stranger's.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._minutes: dict[tuple[str, str], _Minute] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record is written; the first of a minute says how many were not."""
        now, text = self._clock(), str(record.msg)
        kind = text, str(getattr(record, "kind", ""))
        minute = self._minutes.setdefault(kind, _Minute(now))
        if now - minute.began >= SECONDS:
            unsaid = minute.unsaid
            minute = self._minutes[kind] = _Minute(now)
            if unsaid:
                record.msg = f"{text} (and {unsaid} more like it, which were not written)"
        minute.lines += 1
        if minute.lines <= MOST_LINES:
            return True
        minute.unsaid += 1
        return False


def write_sparingly(loggers: Iterable[str]) -> None:
    """Have these loggers write few lines of a kind."""
    for name in loggers:
        logging.getLogger(name).addFilter(Sparing())
