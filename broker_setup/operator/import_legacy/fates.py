"""What becomes of each row of the original's table; decisions, no I/O."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from broker_setup.operator.import_legacy.row import Row
from broker_setup.wire.properties import submission_id_of

# What is left of a wire id's 53 bits is chance, in a uuid of ours; here it is a hash, which comes out the same again.
_ID_BITS = 53


class Fate(StrEnum):
    """What becomes of a row."""

    WAITS = "waits"  # to its queue
    LEASED = "leased"  # to its queue, and the grader that has it may hand in its result under the key that it has
    REPLIED = "replied"  # its result to the relay
    ENDED = "ended"  # nothing, or into the ledger
    REFUSED = "refused"  # nothing: it can't be used


@dataclass(frozen=True)
class Decided:
    """The fate of a row, and why it is refused; `until` is when the time of the grader that took it last is over.

    That may be long ago: its result is welcome all the same, as long as nobody else has the submission.
    """

    fate: Fate
    callback_url: str = ""
    why: str = ""
    until: datetime | None = None


def decide(row: Row, now: datetime, queues: Collection[str], delay_of: Callable[[str], float]) -> Decided:
    """Say what becomes of a row; `delay_of` is how long a grader may keep a queue's submission (seconds)."""
    if row.is_retired or (row.reply and row.is_acknowledged):
        return Decided(Fate.ENDED, callback_url_of(row.header))
    if why := why_not(row, queues):
        return Decided(Fate.REFUSED, why=why)
    url = callback_url_of(row.header)
    if row.reply:
        return Decided(Fate.REPLIED, url)
    if not row.pull_key or row.pulled_at is None:
        return Decided(Fate.WAITS, url)
    until = row.pulled_at + timedelta(seconds=delay_of(row.queue))
    return Decided(Fate.LEASED if until > now else Fate.WAITS, url, until=until)


def why_not(row: Row, queues: Collection[str]) -> str:
    """Say why a row can't be used, in words for its owner; "" if it can."""
    if row.queue not in queues:
        return f"queue {row.queue!r} is not one of XQUEUES"
    if not 0 < row.id < 1 << _ID_BITS:
        return "its id is none that a grader could name"
    if not callback_url_of(row.header):
        return "its xqueue_header has no lms_callback_url, or was cut off: no result of it could be delivered"
    return ""


def callback_url_of(header: str) -> str:
    """Return the callback URL in an LMS's header; "" where there is none."""
    try:
        read = json.loads(header)
    except (ValueError, RecursionError):
        return ""
    url = read.get("lms_callback_url") if isinstance(read, dict) else None
    return url if isinstance(url, str) else ""


def uuid_of(row: Row) -> str:
    """Return the uuid that a row has here, at each import the same: its id on the wire is the one that graders have.

    It is made of what never changes in a row (its times do), so that those of two servers differ though their ids do
    not: no two headers have the same lms_key.
    """
    said = json.dumps([row.id, row.queue, row.header])
    chance = int.from_bytes(hashlib.blake2b(said.encode(errors="surrogatepass"), digest_size=16).digest())
    uuid = chance >> _ID_BITS << _ID_BITS | row.id
    assert submission_id_of(uuid.to_bytes(16)) == row.id
    return f"{uuid:032x}"


def names_in(text: str) -> Mapping[str, str] | None:
    """Read a row's list of files, name to key or URL; None where it is no such list, or was cut off."""
    try:
        read = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not all(isinstance(where, str) for where in read.values()):
        return None
    return read
