"""Some thousand submissions that came one after the other, in columns: what a million takes is mostly its text."""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator
from heapq import merge
from math import inf

from broker_setup.ledger.events import UUID_BYTES
from gateway.console.known.kept_events import KeptEvents
from gateway.console.known.standings import State

ROWS = 4096
_END = b"\n"
_NO_URL = 2**16 - 1


class Block:
    """Rows are only added; a block is dropped as a whole, with all that is known of its submissions."""

    def __init__(self) -> None:
        self.events = KeptEvents()
        self._uuids = bytearray()
        self._states = bytearray()
        self._queues = array("H")
        self.submitted_at = array("d")
        self.changed_at = array("d")
        self.first_at, self.last_at = inf, -inf
        # By the queue's number, how many wait: a queue's oldest is not looked for where none of its own is.
        self._waiting: Counter[int] = Counter()
        # Where the newest event of each stands.
        self._newest = array("I")
        # One text to search in: where each URL begins in it, whose it is, and which is that of each row. They come in
        # another order than rows, as a submit can be noted after its first lease.
        self._urls = bytearray()
        self._begins = array("I")
        self._whose = array("H")
        self._which = array("H")

    def __len__(self) -> int:
        return len(self._states)

    @property
    def memory(self) -> int:
        """What it takes, nearly, in bytes."""
        columns = (
            *(self.submitted_at, self.changed_at, self._newest, self._queues),
            *(self._begins, self._whose, self._which),
        )
        return (
            len(self.events)
            + len(self._uuids)
            + len(self._states)
            + len(self._urls)
            + sum(each.itemsize * len(each) for each in columns)
        )

    def add(self, uuid: bytes, at: float, queue: int) -> int:
        """Add a submission; return its row."""
        self._uuids += uuid
        self._queues.append(queue)
        self.submitted_at.append(at)
        self._reach(at)
        self.changed_at.append(at)
        self._newest.append(0)
        self._which.append(_NO_URL)
        self._states.append(State.UNKNOWN)  # last: from now on a search, in its thread, finds the row
        return len(self._states) - 1

    def tell_submit(self, row: int, at: float, url: bytes) -> None:
        """Note when a row was submitted, and its URL, b"" where that is not known."""
        self.submitted_at[row] = at
        self._reach(at)
        if url and self._which[row] == _NO_URL:
            which, begin = len(self._begins), len(self._urls)
            self._whose.append(row)
            self._begins.append(begin)
            self._urls += url.replace(_END, b" ") + _END
            self._which[row] = which

    def uuid(self, row: int) -> bytes:
        """Return the uuid of a row."""
        return bytes(self._uuids[row * UUID_BYTES : (row + 1) * UUID_BYTES])

    def url(self, row: int) -> bytes:
        """Return the callback URL of a row, or its beginning; b"" if it is not known."""
        which = self._which[row]
        if which == _NO_URL:
            return b""
        begin = self._begins[which]
        return bytes(self._urls[begin : self._urls.find(_END, begin)])

    def queue(self, row: int) -> int:
        """Return the number of its queue."""
        return self._queues[row]

    def state(self, row: int) -> State:
        """Return how it stands."""
        return State(self._states[row])

    def newest(self, row: int) -> int:
        """Return where its newest event stands."""
        return self._newest[row]

    def change(self, row: int, state: State, at: float, newest: int) -> None:
        """Note an event of a row."""
        if (was := self._states[row]) != state:
            self._waiting[self._queues[row]] += (state is State.WAITING) - (was == State.WAITING)
        self._states[row] = state
        self.changed_at[row] = at
        self._newest[row] = newest

    def name(self, row: int, queue: int) -> None:
        """Note the queue of a row, where no event before said it."""
        if self._states[row] == State.WAITING:
            self._waiting[self._queues[row]] -= 1
            self._waiting[queue] += 1
        self._queues[row] = queue

    def waiting(self, queue: int) -> int:
        """Count the rows of `queue` that wait."""
        return self._waiting[queue]

    def oldest_waiting(self, queue: int) -> int | None:
        """Return the first row of `queue` that waits."""
        if not self._waiting[queue]:
            return None
        row = -1
        while (row := self._states.find(State.WAITING, row + 1)) >= 0:
            if self._queues[row] == queue:
                return row
        return None

    def rows_with(self, part: bytes) -> Iterator[int]:
        """Yield the rows whose URL has this part, the newest first."""
        urls, begins = self._urls, self._begins
        at = urls.rfind(part)
        while at >= 0:
            which = bisect_right(begins, at) - 1
            yield self._whose[which]
            at = urls.rfind(part, 0, begins[which])

    def rows_in(self, states: Collection[State]) -> Iterator[int]:
        """Yield the rows that stand so, however they stand if `states` is empty, the newest first."""
        if states:
            yield from merge(*map(self._rows_of, states), reverse=True)
        else:
            yield from range(len(self) - 1, -1, -1)

    def _reach(self, at: float) -> None:
        self.first_at, self.last_at = min(at, self.first_at), max(at, self.last_at)

    def _rows_of(self, state: State) -> Iterator[int]:
        at = self._states.rfind(state)
        while at >= 0:
            yield at
            at = self._states.rfind(state, 0, at)
