"""What the ledger's state answers: how a submission stands, its lease, whether a result is welcome.

The values are msgspec's, as the events are: a replay makes a million, and a frozen dataclass takes a microsecond.
"""

from collections.abc import Sequence
from enum import Enum, auto

from msgspec import Struct


class Standing(Enum):
    """What is known of a submission whose delivery is at hand."""

    FREE = auto()  # may be leased
    LEASED = auto()  # somebody is grading it, or it may not be leased yet: keep the delivery
    CLOSED = auto()  # settled, retired or parked: the delivery is only debris
    SUPERSEDED = auto()  # a newer submission took its place: the delivery goes, and the ledger hears of it


class Refused(Struct, frozen=True, gc=False):
    """A submission's last refused reply: its digest, why, in which lease, and in how many in a row."""

    digest: bytes
    why: str
    key: bytes
    leases: int = 1


class Lease(Struct, frozen=True, gc=False):
    """What a grader was told, and what its result needs; times are seconds since the epoch.

    A lease that was released has the key b"" and "expires" when the submission may be leased again. `granted_at` and
    `expires_at` stand so in the ledger, by clocks of which some may be wrong: they decide between events. `began` and
    `ends_at` are the same by the steady clock of this process: they decide what is done now. `refused` is what was
    refused in this lease, or in one before it.
    """

    submission: bytes
    queue: str
    url: bytes
    key: bytes
    granted_at: float
    expires_at: float
    sealed: str
    attempt: int
    began: float
    ends_at: float
    refused: Refused | None = None


class Take(Struct, frozen=True, gc=False):
    """The result is welcome; `amendment` counts from 0 (the first result) upwards, `late` if the lease has run out."""

    lease: Lease
    amendment: int
    late: bool


class Refusal(Enum):
    """Why a result is not taken."""

    UNKNOWN_SUBMISSION = auto()
    WRONG_KEY = auto()
    REPEAT = auto()  # it is here already: success for the caller, nothing to do


class Outcome(Struct, frozen=True, gc=False):
    """What an event has done: was it valid, and whose deliveries should be let go of now (queue, submission)."""

    valid: bool
    gone: Sequence[tuple[str, bytes]] = ()


VALID = Outcome(valid=True)
VOID = Outcome(valid=False)
