"""What the console knows of submissions, in memory and bounded: found by id, uuid, part of the URL, queue, state."""

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from itertools import islice
from math import inf
from time import time

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import UUID_BYTES, AnyEvent, Discarded, Submitted, Undeliverable
from broker_setup.ledger.state.shelves import Shelves
from broker_setup.operator.trace.history import Timeline
from broker_setup.wire.properties import submission_id_of
from gateway.console.known.block import ROWS, Block
from gateway.console.known.kept_events import whole
from gateway.console.known.standings import State, after
from gateway.console.known.wanted import Found, Wanted

# A submission's id has 53 bits. Of a million, two have one id as likely as not after some thousand years.
_ID_BYTES, _ROW_BYTES = 7, 5
# Where fewer than one in so many stand as is wanted, their URLs are looked at, and not those of all.
FEW = 20
# What a submission may take, its events and all, where all that are kept are there; a usual one takes 370 bytes.
BYTES_EACH = 600
# Submissions that begin with the end of their result: older than what is kept, or made up by an AMQP grader.
MOST_STRAYS = 4096


class SubmissionIndex:
    """Tell it of each event; the oldest submissions go where they are older than `seconds`, or more than `most`."""

    def __init__(
        self,
        *,
        most: int,
        seconds: float,
        open_url: Callable[[bytes, bytes], str],
        clock: Callable[[], float] = time,
    ) -> None:
        """`open_url` opens the sealed URL of a submission."""
        self._most, self._seconds = most, seconds
        self._open_url = open_url
        self._clock = clock
        self._blocks: deque[Block] = deque([Block()])
        self._numbered: dict[int, Block] = {0: self._blocks[0]}
        self._dropped = 0  # blocks
        self._rows = Shelves(key_bytes=_ID_BYTES, value_bytes=_ROW_BYTES)
        self._queues: dict[str, int] = {"": 0}
        self._writers: dict[str, int] = {}
        self._counts: Counter[tuple[int, State]] = Counter()
        self._strays = self._taken = self.size = 0

    def take(self, event: AnyEvent, outcome: Outcome, writer: str) -> None:
        """Take in an event, as it was applied."""
        uuid = event.submission
        if len(uuid) != UUID_BYTES:  # of a queue as a whole
            return
        self._taken += 1
        if self._taken % ROWS == 0:
            self._make_room()  # before its place is looked up, as that may go
        place = self._row_of(uuid)
        if place is None and isinstance(event, Undeliverable | Discarded):
            self._strays += 1
            if self._strays > MOST_STRAYS:
                return
        block, row = place or self._add(uuid, event)
        if isinstance(event, Submitted):
            url = self._open_url(event.sealed_url, uuid) if event.sealed_url else ""
            block.tell_submit(row, event.at, url.encode(errors="replace"))
        if not block.queue(row) and (queue := getattr(event, "queue", "")):
            before = block.queue(row), block.state(row)
            block.name(row, self._number_of(queue))
            self._move(before, (block.queue(row), block.state(row)))
        before = block.queue(row), block.state(row)
        state = after(before[1], event) if outcome.valid else before[1]
        writer_number = self._writers.setdefault(writer, len(self._writers)) % 2**16
        newest = block.events.add(event, block.newest(row), writer_number, void=not outcome.valid)
        block.change(row, state, event.at, newest)
        self._move(before, (before[0], state))

    def find(self, uuid: bytes) -> Found | None:
        """Return a submission; None if nothing is known of it."""
        place = self._row_of(uuid)
        return self._found(*place) if place else None

    def find_id(self, submission_id: int) -> Found | None:
        """Do the same by the id on the wire."""
        place = self._place(submission_id)
        return self._found(*place) if place else None

    def timeline(self, uuid: bytes) -> Timeline | None:
        """Return all that happened to a submission; None if nothing is known of it."""
        place = self._row_of(uuid)
        if place is None:
            return None
        block, row = place
        steps = list(block.events.steps(block.newest(row), list(self._writers)))
        queue = list(self._queues)[block.queue(row)]
        return Timeline(uuid, [replace(step, event=whole(step.event, uuid, queue)) for step in reversed(steps)])

    def is_whole(self, uuid: bytes) -> bool:
        """Say whether all that happened to a submission was kept, every word of it."""
        place = self._row_of(uuid)
        return place is not None and place[0].events.are_whole(place[0].newest(place[1]))

    def search(self, wanted: Wanted, visible: Collection[str] | None, most: int, skip: int = 0) -> list[Found]:
        """Return the newest `most` that are wanted, of the `visible` queues (None: all), but for the first few."""
        return list(islice(self.each(wanted, visible), skip, skip + most))

    def each(self, wanted: Wanted, visible: Collection[str] | None) -> Iterator[Found]:
        """Yield those that are wanted, the newest first."""
        queues = None if visible is None else frozenset(self._queues.get(queue, -1) for queue in visible)
        return self._meant(wanted, queues)

    def count(self, queue: str, state: State) -> int:
        """Count the submissions of a queue that stand so."""
        return self._counts[self._queues.get(queue, -1), state]

    def oldest_waiting(self, queue: str) -> float | None:
        """Say when the oldest submission came that waits in a queue; None if none does."""
        number = self._queues.get(queue, -1)
        if not self._counts[number, State.WAITING]:
            return None
        for block in tuple(self._blocks):
            if (row := block.oldest_waiting(number)) is not None:
                return block.submitted_at[row]
        return None

    def waiting_before(self, found: Found) -> int:
        """Count what waits in the queue of a submission and came before it."""
        number, before = self._queues.get(found.queue, -1), 0
        for block in tuple(self._blocks):
            if len(block) and block.first_at > found.submitted_at:
                break
            if block.last_at < found.submitted_at or not block.waiting(number):
                before += block.waiting(number)
                continue
            before += sum(
                block.queue(row) == number and block.submitted_at[row] < found.submitted_at
                for row in block.rows_in({State.WAITING})
            )
        return before

    @property
    def memory(self) -> int:
        """What is kept, nearly, in bytes."""
        return sum(block.memory for block in self._blocks) + len(self._rows) * (_ID_BYTES + _ROW_BYTES)

    def _meant(self, wanted: Wanted, queues: Collection[int] | None) -> Iterator[Found]:
        if wanted.queue is not None and wanted.queue not in self._queues:
            return
        number = None if wanted.queue is None else self._queues[wanted.queue]
        for block, row in self._candidates(wanted):
            at, queue = block.submitted_at[row], block.queue(row)
            if (
                (number is None or queue == number)
                and (queues is None or queue in queues)
                and (not wanted.states or block.state(row) in wanted.states)
                and (wanted.since is None or at >= wanted.since)
                and (wanted.until is None or at < wanted.until)
                and all(part.encode(errors="replace") in block.url(row) for part in wanted.url_parts)
            ):
                yield self._found(block, row)

    def _candidates(self, wanted: Wanted) -> Iterator[tuple[Block, int]]:
        if wanted.uuid is not None or wanted.submission_id is not None:
            place = self._row_of(wanted.uuid) if wanted.uuid else self._place(wanted.submission_id or 0)
            if place:
                yield place
            return
        standing_so = sum(number for (_, state), number in tuple(self._counts.items()) if state in wanted.states)
        by_url = bool(wanted.url_parts) and (not wanted.states or standing_so > self.size // FEW)
        for block in reversed(tuple(self._blocks)):
            if (wanted.since or -inf) > block.last_at or (wanted.until or inf) <= block.first_at:
                continue
            if by_url:
                rows = block.rows_with(wanted.url_parts[0].encode(errors="replace"))
            else:
                rows = block.rows_in(wanted.states)
            for row in rows:
                yield block, row

    def _found(self, block: Block, row: int) -> Found:
        queue = list(self._queues)[block.queue(row)]
        url = block.url(row).decode(errors="replace")
        return Found(block.uuid(row), queue, block.state(row), block.submitted_at[row], block.changed_at[row], url)

    def _row_of(self, uuid: bytes) -> tuple[Block, int] | None:
        place = self._place(submission_id_of(uuid))
        return place if place and place[0].uuid(place[1]) == uuid else None

    def _place(self, submission_id: int) -> tuple[Block, int] | None:
        if not 0 <= submission_id < 2**53:
            return None
        packed = self._rows.find(submission_id.to_bytes(_ID_BYTES))
        if packed is None:
            return None
        number, row = divmod(int.from_bytes(packed), ROWS)
        block = self._numbered.get(number)  # in a search's thread, it may have gone just now
        return (block, row) if block else None

    def _add(self, uuid: bytes, event: AnyEvent) -> tuple[Block, int]:
        block = self._blocks[-1]
        if len(block) == ROWS:
            block = Block()
            self._numbered[self._dropped + len(self._blocks)] = block
            self._blocks.append(block)
            self._make_room()
        queue = self._number_of(getattr(event, "queue", ""))
        row = block.add(uuid, event.at, queue)
        number = (self._dropped + len(self._blocks) - 1) * ROWS + row
        self._rows[submission_id_of(uuid).to_bytes(_ID_BYTES)] = number.to_bytes(_ROW_BYTES)
        self._counts[queue, State.UNKNOWN] += 1
        self.size += 1
        return block, row

    def _make_room(self) -> None:
        """Drop the oldest blocks: those that are too old, and as many as are too many or take too much."""
        oldest, memory = self._clock() - self._seconds, self.memory
        while len(self._blocks) > 1:
            block = self._blocks[0]
            few = self.size + ROWS <= self._most and memory <= max(self._most, ROWS) * BYTES_EACH
            if few and block.last_at >= oldest:
                return
            memory -= block.memory
            for row in range(len(block)):
                self._counts[block.queue(row), block.state(row)] -= 1
                key = submission_id_of(block.uuid(row)).to_bytes(_ID_BYTES)
                packed = self._rows.find(key)
                if packed is not None and int.from_bytes(packed) == self._dropped * ROWS + row:
                    self._rows.discard(key)
            self._blocks.popleft()
            del self._numbered[self._dropped]
            self._dropped += 1
            self.size -= len(block)

    def _number_of(self, queue: str) -> int:
        # A stranger's queue names come from no settings: beyond what a column holds, they have none.
        number = self._queues.get(queue)
        if number is None:
            if len(self._queues) >= 2**16:
                return 0
            number = self._queues[queue] = len(self._queues)
        return number

    def _move(self, before: tuple[int, State], after: tuple[int, State]) -> None:
        if before != after:
            self._counts[before] -= 1
            self._counts[after] += 1
