"""The archive: keeps a part of a submission once, reads submissions with their results, removes what is too old."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from broker_setup.archive.archive_store import ArchiveStore
from broker_setup.archive.entries import ArchivedResult, ArchivedSubmission, Kept, decoded, encoded
from broker_setup.archive.places import REGRADES, Part, Place, between, folder_of, over, read_place
from broker_setup.archive.seals import ArchiveSeals
from broker_setup.errors import BadMessageError, BadReturnAddressError, UnknownSecretError

_Item = TypeVar("_Item")

# Submissions that are read at once: of each up to 15 MiB and as much for each result are in memory then.
READ_AT_ONCE = 16
REMOVE_AT_ONCE = 1000


class Archive:
    """What is in the store, in clear; what the store can't do is a StorageError."""

    def __init__(self, store: ArchiveStore, seals: ArchiveSeals) -> None:
        self.store = store
        self._seals = seals
        # Of what was selected and could not be read: how much it was, and why, of the last.
        self.unreadable = 0
        self.why_unreadable = ""

    async def keep(self, place: Place, archived: ArchivedSubmission | ArchivedResult) -> bool:
        """Keep what is not there yet; say whether it was not. What came first stays: an LMS takes no second reply."""
        if await self.store.size(str(place)) is not None:
            return False
        await self.keep_raw(str(place), encoded(archived))
        return True

    async def keep_raw(self, key: str, content: bytes) -> None:
        """Keep bytes, sealed, in place of what may lie there."""
        await self.store.keep(key, self._seals.seal(content, key))

    async def raw(self, key: str) -> bytes | None:
        """Return bytes that were kept; None if there are none."""
        sealed = await self.store.whole(key)
        return None if sealed is None else self._seals.open(sealed, key)

    def places(self, queue: str, since: float | None = None, until: float | None = None) -> dict[str, list[Place]]:
        """Return what of which submission (uuid) may have been submitted in that time (s since the epoch); blocks."""
        found: dict[str, list[Place]] = defaultdict(list)
        for day in between(self.store.folders_in(folder_of(queue)), since, until):
            for place in self._in(day):
                found[place.submission].append(place)
        return found

    def places_of(self, submission: str, queues: Iterable[str]) -> list[Place]:
        """Return all that there is of a submission, wherever in these queues it lies; blocks."""
        return [place for queue in queues for place in self.places(queue).get(submission, ())]

    async def read(self, places: Sequence[Place]) -> Kept | None:
        """Read one submission, which has these places; None where that itself is not there."""
        submission: ArchivedSubmission | None = None
        results = []
        for place in places:
            content = await self.raw(str(place))
            if content is None:  # forgotten this moment
                continue
            if place.part is Part.SUBMISSION:
                submission = decoded(content, ArchivedSubmission)
            else:
                results.append(decoded(content, ArchivedResult))
        if submission is None:
            return None
        return Kept(submission, sorted(results, key=lambda result: (result.graded_at, result.amendment)))

    async def select(self, queue: str, since: float | None, until: float | None) -> AsyncIterator[Kept]:
        """Yield what was submitted to a queue from `since` to before `until` (s since the epoch), day by day."""
        found = await asyncio.to_thread(self.places, queue, since, until)
        for some in _portions(list(found.values()), READ_AT_ONCE):
            for kept in await asyncio.gather(*map(self._read_if_possible, some)):
                if kept and _is_between(kept.submission.submitted_at, since, until):
                    yield kept

    async def _read_if_possible(self, places: Sequence[Place]) -> Kept | None:
        try:
            return await self.read(places)
        except (BadMessageError, BadReturnAddressError, UnknownSecretError) as error:
            # Somebody's slip, or a SECRET_KEY that is gone: no reason to show nothing of all others.
            self.unreadable += 1
            self.why_unreadable = str(error)
            return None

    def forget(self, places: Iterable[Place]) -> None:
        """Remove objects; blocks."""
        self.store.remove_now([str(place) for place in places])

    def forget_regrades(self, submissions: Collection[str]) -> int:
        """Remove what regrades found of these submissions; say how much that was; blocks."""
        found = (key for some in self.store.below(REGRADES) for key, *_ in some)
        return self._remove(key for key in found if key.rpartition("/")[2] in submissions)

    def remove_before(self, before: float) -> int:
        """Remove what was submitted on days that were over before then, and regrades of then; say how many objects."""
        removed = 0
        for queue in self.store.folders_in():
            for day in over(self.store.folders_in(queue), before):
                removed += self._remove(str(place) for place in self._in(day))
        old = (key for some in self.store.below(REGRADES) for key, _, changed in some if changed < before)
        return removed + self._remove(old)

    def _remove(self, keys: Iterable[str]) -> int:
        removed = 0
        for some in _portions(list(keys), REMOVE_AT_ONCE):
            self.store.remove_now(some)
            removed += len(some)
        return removed

    def _in(self, day: str) -> Iterator[Place]:
        for some in self.store.below(day):
            for key, *_ in some:
                if place := read_place(key):
                    yield place


def _is_between(at: float, since: float | None, until: float | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)


def _portions(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
