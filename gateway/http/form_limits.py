"""What a form may hold, and what is said of one that holds more or can't be read."""

import math
from collections import Counter
from dataclasses import dataclass, field

from broker_setup.errors import XQueueError
from broker_setup.process.beside import acting_for

MAX_FIELDS = 100
# So many times what it leaves free may one account take with several forms: alone three quarters, two of them 3/7 each.
_SHARE = 3


class BadFormError(XQueueError):
    """The body is no form that can be read; the text says why."""


class TooLargeError(XQueueError):
    """The form, a file or their number is over a limit; the text names the limit."""


class BusyError(XQueueError):
    """The forms under way leave no memory for this one."""


class ShortError(XQueueError):
    """There is too little left here of something that a call needs: room for temporary files, say."""


class FormMemory:
    """Counts what all forms under way hold: their fields in memory, or their files on the disk."""

    def __init__(self, limit: float, setting: str = "MAX_FORMS_SIZE") -> None:
        """Have them hold `limit` bytes, as `setting` says."""
        self._left = limit
        self._setting = setting
        self._taken: Counter[str] = Counter()

    def take(self, account: str, size: int, so_far: int) -> None:
        """Take so many bytes for a form of that account, which has `so_far`; raise BusyError if too few are left.

        A body may take its time. Whoever has several forms under way leaves room for others; one is always taken.
        """
        left, taken = self._left - size, self._taken[account] + size
        if left < 0:
            raise BusyError(f"the forms under way are over {self._setting}")
        if taken > so_far + size and taken > _SHARE * left:
            raise BusyError(f"the forms under way of {account!r} are over its share of {self._setting}")
        self._left = left
        self._taken[account] = taken

    def give_back(self, account: str, size: int) -> None:
        """Give back what was taken."""
        self._left += size
        self._taken[account] -= size
        if not self._taken[account]:
            del self._taken[account]


@dataclass(frozen=True)
class FormLimits:
    """Sizes in bytes: all fields (on the wire), each file, all files; and how many files."""

    fields: int
    file: int
    files_total: int
    files: int
    memory: FormMemory = field(default_factory=lambda: FormMemory(math.inf))
    disk: FormMemory = field(default_factory=lambda: FormMemory(math.inf))


class Allowance:
    """What one form may still hold, and what it has to give back at its end."""

    def __init__(self, limits: FormLimits) -> None:
        self._limits = limits
        self._account = acting_for.get()
        self.taken = 0
        self._taken_of_disk = 0

    def take(self, size: int) -> None:
        """Take so many bytes; raise TooLargeError or BusyError."""
        if self.taken + size > self._limits.fields:
            raise TooLargeError(f"more than {self._limits.fields} bytes")
        self._limits.memory.take(self._account, size, self.taken)
        self.taken += size

    def take_of_disk(self, size: int) -> None:
        """Take so many bytes for a file; raise BusyError."""
        self._limits.disk.take(self._account, size, self._taken_of_disk)
        self._taken_of_disk += size

    def give_back(self) -> None:
        """Give all of it back."""
        self._limits.memory.give_back(self._account, self.taken)
        self._limits.disk.give_back(self._account, self._taken_of_disk)
