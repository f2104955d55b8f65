"""What a form may hold, and what is said of one that holds more or can't be read."""

import math
from dataclasses import dataclass, field

from broker_setup.errors import XQueueError
from broker_setup.process.beside import acting_for
from gateway.http.shared_room import SharedRoom

MAX_FIELDS = 100


class BadFormError(XQueueError):
    """The body is no form that can be read; the text says why."""


class TooLargeError(XQueueError):
    """The form, a file or their number is over a limit; the text names the limit."""


class ShortError(XQueueError):
    """There is too little left here of something that a call needs: room for temporary files, say."""


@dataclass(frozen=True)
class FormLimits:
    """Sizes in bytes: all fields (on the wire), each file, all files; and how many files."""

    fields: int
    file: int
    files_total: int
    files: int
    memory: SharedRoom = field(default_factory=lambda: SharedRoom(math.inf, "MAX_FORMS_SIZE"))
    disk: SharedRoom = field(default_factory=lambda: SharedRoom(math.inf, "MAX_UPLOADS_SIZE"))


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
