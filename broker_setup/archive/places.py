"""Where in the archive's store something lies: names of objects, made and read, without I/O."""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from string import ascii_letters, digits

from msgspec import Struct

# A folder's name may have 255 bytes; a queue's has up to 200, each of which may take three here.
_LONGEST_FOLDER = 120
_PLAIN = frozenset((ascii_letters + digits + "-").encode())
_PLACE = re.compile(r"([\w-]+)/(\d{4}-\d\d-\d\d)/([0-9a-f]{32})\.(submission|result-(\d{1,9})|notice)", re.ASCII)

# No queue's folder is called that: there an underscore stands before two digits of sixteen.
REGRADES = "_regrades"


class Part(StrEnum):
    """What of a submission an object holds."""

    SUBMISSION = "submission"
    RESULT = "result"
    NOTICE = "notice"


class Place(Struct, frozen=True, gc=False):
    """Where one part of a submission lies: `day` is that of its submit, in UTC, `amendment` a result's."""

    folder: str
    day: date
    submission: str
    part: Part
    amendment: int = 0

    def __str__(self) -> str:
        """Name the object: `openedx/2026-11-29/0123...cdef.result-0`."""
        number = f"-{self.amendment}" if self.part is Part.RESULT else ""
        return f"{self.folder}/{self.day.isoformat()}/{self.submission}.{self.part}{number}"


def folder_of(queue: str) -> str:
    """Name the folder of a course queue: its own name, where that has letters, digits and hyphens alone."""
    raw = queue.encode()
    folder = "".join(chr(byte) if byte in _PLAIN else f"_{byte:02X}" for byte in raw)
    if len(folder) <= _LONGEST_FOLDER:
        return folder
    return f"{folder[:_LONGEST_FOLDER]}_{blake2b(raw, digest_size=16).hexdigest()}"


def day_of(at: float) -> date:
    """Return the day (UTC) of a moment (seconds since the epoch)."""
    return datetime.fromtimestamp(at, UTC).date()


def place_of(queue: str, submitted_at: float, submission: str, part: Part, amendment: int = 0) -> Place:
    """Say where a part of a submission of `queue` lies, which was submitted then (seconds since the epoch)."""
    return Place(folder_of(queue), day_of(submitted_at), submission, part, amendment)


def read_place(key: str) -> Place | None:
    """Read an object's name; None where it is none of the archive's."""
    read = _PLACE.fullmatch(key)
    if not read:
        return None
    folder, day, submission, part, amendment = read.groups()
    try:
        read_day = date.fromisoformat(day)
    except ValueError:
        return None
    return Place(folder, read_day, submission, Part(part.partition("-")[0]), int(amendment or 0))


def over(days: Iterable[str], before: float) -> list[str]:
    """Return which of the days' folders hold only what was submitted `before` then (seconds since the epoch)."""
    return [each for each in days if (day := _day_in(each)) and day + timedelta(days=1) <= day_of(before)]


def between(days: Iterable[str], since: float | None, until: float | None) -> list[str]:
    """Return which of the days' folders may hold what was submitted in that time, the oldest first."""
    first = date.min if since is None else day_of(since)
    last = date.max if until is None else day_of(until)
    return sorted(each for each in days if (day := _day_in(each)) and first <= day <= last)


def _day_in(path: str) -> date | None:
    try:
        return date.fromisoformat(path.rstrip("/").rpartition("/")[2])
    except ValueError:
        return None
