"""What a form may hold, and what is said of one that holds more or can't be read."""

import math
from dataclasses import dataclass, field

from broker_setup.errors import XQueueError

MAX_FIELDS = 100


class BadFormError(XQueueError):
    """The body is no form that can be read; the text says why."""


class TooLargeError(XQueueError):
    """The form, a file or their number is over a limit; the text names the limit."""


class BusyError(XQueueError):
    """The forms under way leave no memory for this one."""


class FormMemory:
    """Counts the fields that are held in memory, over all forms under way."""

    def __init__(self, limit: float) -> None:
        self._left = limit

    def take(self, size: int) -> None:
        """Take so many bytes; raise BusyError if there aren't as many left."""
        if size > self._left:
            raise BusyError("the forms under way are over MAX_FORMS_SIZE")
        self._left -= size

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        self._left += size


@dataclass(frozen=True)
class FormLimits:
    """Sizes in bytes: all fields (on the wire), each file, all files; and how many files."""

    fields: int
    file: int
    files_total: int
    files: int
    memory: FormMemory = field(default_factory=lambda: FormMemory(math.inf))


class Allowance:
    """What one form may still hold in memory."""

    def __init__(self, limits: FormLimits) -> None:
        self._limits = limits
        self.taken = 0

    def take(self, size: int) -> None:
        """Take so many bytes; raise TooLargeError or BusyError."""
        if self.taken + size > self._limits.fields:
            raise TooLargeError(f"more than {self._limits.fields} bytes")
        self._limits.memory.take(size)
        self.taken += size
