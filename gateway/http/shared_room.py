"""Room, in bytes, that all requests of a kind share: no account can take all of it with many requests."""

from broker_setup.errors import XQueueError

# With several requests an account may take so many times what it leaves free: three quarters of all if it is alone,
# 3/7 each if there are two.
_SHARE = 3


class BusyError(XQueueError):
    """The requests under way leave no room for this one."""


class SharedRoom:
    """Counts what all requests under way hold of something: of memory for their fields, say, or of the disk."""

    def __init__(self, limit: float, setting: str = "MAX_FORMS_SIZE", what: str = "forms") -> None:
        """Have `limit` bytes in all; errors name the `setting` that says so, and `what` the requests are."""
        self._left = limit
        self._setting = setting
        self._what = what
        self._taken: dict[str, int] = {}

    def take(self, account: str, size: int, so_far: int) -> None:
        """Take so many bytes for a request of that account, which has `so_far`; raise BusyError if too few are left.

        A request may hold its room for long, so an account with several leaves room for others. An account's only
        request is taken wherever it fits.
        """
        left, taken = self._left - size, self._taken.get(account, 0) + size
        if left < 0:
            raise BusyError(f"the {self._what} under way are over {self._setting}")
        if taken > so_far + size and taken > _SHARE * left:
            raise BusyError(f"the {self._what} under way of {account!r} are over its share of {self._setting}")
        self._left = left
        self._taken[account] = taken

    def give_back(self, account: str, size: int) -> None:
        """Give back what was taken."""
        if not size:
            return
        self._left += size
        taken = self._taken[account] - size
        if taken:
            self._taken[account] = taken
        else:
            del self._taken[account]
