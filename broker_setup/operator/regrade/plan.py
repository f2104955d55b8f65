"""What a regrade is to do, as it is kept in the archive's store, so that another run of the command goes on with it."""

import re
import secrets
from datetime import datetime

import msgspec
from msgspec import Struct

from broker_setup.archive.archive import Archive
from broker_setup.archive.entries import ArchivedResult, decoded, encoded
from broker_setup.archive.places import REGRADES, Place
from broker_setup.archive.scores import Score
from broker_setup.errors import ArgumentError, BadMessageError
from broker_setup.operator.from_archive import Meant

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}")
_PLAN = "plan"


class RegradePlan(Struct, frozen=True):
    """Copies of what is `meant` go to the course queue `to`; `run` is this regrade's name."""

    run: str
    meant: Meant
    to: str


class Archived(Struct, frozen=True):
    """An archived submission that is to be graded again: where its parts lie, and what a person knows it by."""

    uuid: str
    places: list[Place]
    submitted_at: float
    url: str
    student: str
    old: Score


def new_run(now: datetime) -> str:
    """Make a name for a regrade, which nobody has given it."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def run_named(name: str) -> str:
    """Take the name that an operator typed; raise ArgumentError for one that is none."""
    if not _NAME.fullmatch(name):
        raise ArgumentError(f"--run {name!r} is no name: up to 64 letters, digits and hyphens")
    return name


class Found:
    """What a regrade has found so far, in the archive's store: an object for each submission."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def plan(self, run: str) -> RegradePlan | None:
        """Return how a regrade was begun; None if none of that name was."""
        kept = await self._archive.raw(_key(run, _PLAN))
        if kept is None:
            return None
        try:
            return msgspec.msgpack.decode(kept, type=RegradePlan)
        except msgspec.DecodeError as error:
            raise BadMessageError(f"what is kept of the regrade {run} can't be read: {error}", kept) from None

    async def begin(self, plan: RegradePlan) -> None:
        """Keep how a regrade was begun."""
        await self._archive.keep_raw(_key(plan.run, _PLAN), msgspec.msgpack.encode(plan))

    async def keep(self, run: str, result: ArchivedResult) -> None:
        """Keep what was found of a submission, unless something is kept of it: a grader may answer twice."""
        key = _key(run, result.submission)
        if await self._archive.store.size(key) is None:
            await self._archive.keep_raw(key, encoded(result))

    async def of(self, run: str, submission: str) -> ArchivedResult | None:
        """Return what was found of a submission; None if nothing was yet."""
        kept = await self._archive.raw(_key(run, submission))
        return None if kept is None else decoded(kept, ArchivedResult)

    def all_of(self, run: str) -> set[str]:
        """Return of which submissions something was found; blocks."""
        keys = (key for some in self._archive.store.below(f"{REGRADES}/{run}") for key, *_ in some)
        return {key.rpartition("/")[2] for key in keys} - {_PLAN}


def _key(run: str, name: str) -> str:
    return f"{REGRADES}/{run}/{name}"
