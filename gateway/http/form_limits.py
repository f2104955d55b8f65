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


class ShortError(XQueueError):
    """There is too little left here of something that a call needs: room for temporary files, say."""


class FormMemory:
    """Counts what all forms under way hold: their fields in memory, or their files on the disk."""

    def __init__(self, limit: float, setting: str = "MAX_FORMS_SIZE") -> None:
        """Have them hold `limit` bytes, as `setting` says."""
        self._left = limit
        self._setting = setting

    def take(self, size: int) -> None:
        """Take so many bytes; raise BusyError if there aren't as many left."""
        if size > self._left:
            raise BusyError(f"the forms under way are over {self._setting}")
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
    disk: FormMemory = field(default_factory=lambda: FormMemory(math.inf))


class Allowance:
    """What one form may still hold, and what it has to give back at its end."""

    def __init__(self, limits: FormLimits) -> None:
        self._limits = limits
        self.taken = 0
        self._taken_of_disk = 0

    def take(self, size: int) -> None:
        """Take so many bytes; raise TooLargeError or BusyError."""
        if self.taken + size > self._limits.fields:
            raise TooLargeError(f"more than {self._limits.fields} bytes")
        self._limits.memory.take(size)
        self.taken += size

    def take_of_disk(self, size: int) -> None:
        """Take so many bytes for a file; raise BusyError."""
        self._limits.disk.take(size)
        self._taken_of_disk += size

    def give_back(self) -> None:
        """Give all of it back."""
        self._limits.memory.give_back(self.taken)
        self._limits.disk.give_back(self._taken_of_disk)
