"""What a search asks for, and what it finds."""

from dataclasses import dataclass

from broker_setup.wire.properties import submission_id_of
from gateway.console.known.standings import State


@dataclass(frozen=True)
class Wanted:
    """What a search asks for; None and nothing are no condition. Times are seconds since the epoch, of the submit."""

    uuid: bytes | None = None
    submission_id: int | None = None
    url_parts: tuple[str, ...] = ()
    queue: str | None = None
    states: frozenset[State] = frozenset()
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Found:
    """A submission as a list has it."""

    uuid: bytes
    queue: str
    state: State
    submitted_at: float
    changed_at: float
    url: str

    @property
    def submission_id(self) -> int:
        """The id on the wire."""
        return submission_id_of(self.uuid)
