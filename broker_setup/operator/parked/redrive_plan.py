"""What redriving decides: what becomes of a parked message, and what its copy looks like; no I/O."""

from collections.abc import Collection
from datetime import datetime
from enum import Enum, auto

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.state import LedgerState
from broker_setup.topology import RESULTS_QUEUE
from broker_setup.wire.parked import REDRIVEN_HEADERS, UNTOLD_HEADERS, Kind, ParkedMessage, fresh_copy, plain_headers
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    BOOKKEEPING_HEADERS,
    FAILING_SINCE_HEADER,
    MAX_MESSAGE_BYTES,
    REFUSALS_HEADER,
    TRIES_HEADER,
    WAITS_HEADER,
)

# What the relay counted on the way to here: it begins anew.
SPENT_HEADERS = frozenset({TRIES_HEADER, REFUSALS_HEADER, WAITS_HEADER, FAILING_SINCE_HEADER})


class StudentStanding(Enum):
    """What the student of a parked message knows, and will hear."""

    TOLD = auto()  # the notice is out
    UNTOLD = auto()  # nobody was told; the notice, if there is one, is held back
    UNKNOWN = auto()  # there is a notice that did not come to us: somebody else has it at this moment


def student_of(parked: ParkedMessage, now: datetime, *, is_held: bool, all_came: bool) -> StudentStanding:
    """Say how a student stands, where the notice `is_held` here, or is not among those that came."""
    if is_held:
        return StudentStanding.UNTOLD
    if parked.is_told(now):
        return StudentStanding.TOLD
    # A redrive that was killed half way has taken it out - or so it seems.
    return StudentStanding.UNTOLD if all_came or not parked.notice_queue else StudentStanding.UNKNOWN


def is_too_large(parked: ParkedMessage) -> bool:
    """Say whether it is more than a message of ours has: it would be parked again, or be refused by the broker."""
    return parked.size > MAX_MESSAGE_BYTES


class Fate(Enum):
    """What becomes of a parked submission."""

    GOES = auto()  # back into its queue
    DEBRIS = auto()  # it was graded or retired since, or a later copy of it is there: acked
    STUCK = auto()  # stays: no uuid, no queue of ours, or too large


def fate_of(parked: ParkedMessage, queues: Collection[str], state: LedgerState, now: float) -> Fate:
    """Say what becomes of a parked submission.

    After a redrive that was interrupted its copy may be on its way already, or not: then it goes once more, as two
    copies of one submission end as one.
    """
    if parked.uuid is None or parked.queue not in queues or is_too_large(parked):
        return Fate.STUCK
    redrives = state.redrives(parked.uuid)
    if state.standing(parked.uuid, now) is not Standing.CLOSED:
        return Fate.DEBRIS if redrives > parked.redriven + 1 else Fate.GOES
    return Fate.GOES if state.is_parked(parked.uuid) and redrives <= parked.redriven else Fate.DEBRIS


def redriven_copy(message: Message | Arrival, parked: ParkedMessage, *, told: bool) -> Message:
    """Make what is published: as it was before it was tried for the first time, and redriven once more.

    Where its student was `told` it says so, or the student would be told again if it is parked again. What a stranger
    wrote into bookkeeping headers is left out: in a copy of ours it would count.
    """
    spent = SPENT_HEADERS | {UNTOLD_HEADERS[parked.kind]} | (frozenset() if parked.ours else BOOKKEEPING_HEADERS)
    headers = {name: value for name, value in plain_headers(message.headers).items() if name not in spent}
    headers[REDRIVEN_HEADERS[parked.kind]] = parked.redriven + 1
    if not told:
        headers[UNTOLD_HEADERS[parked.kind]] = 1
    if parked.kind is Kind.RESULT:
        return fresh_copy(message, headers)
    return fresh_copy(message, headers | {ATTEMPT_HEADER: 1}, reply_to=RESULTS_QUEUE)
