"""The events of the ledger, as frozen values; docs/reference/ledger.md is the same list for people.

In all of them `at` is when the writer noted it (seconds since the epoch) and `submission` the 16 bytes of the
submission's uuid; `url` is the hash of its full callback URL, empty where the writer can't know it. Nothing in the
ledger is a secret: lease keys stand there as hashes, callback URLs so and sealed, the LMS's header only sealed.
"""

import hashlib
from enum import StrEnum
from math import inf

from msgspec import Struct

UUID_BYTES = 16
# 96 bits: among a million URLs two of one hash are as likely as not after 10^17 days.
URL_HASH_BYTES = 12
# 64 bits: of the few accounts that send to one URL no two have one hash.
SENDER_HASH_BYTES = 8
# Keys are 128 random bits, so a plain hash hides them as well as a slow one.
KEY_HASH_BYTES = 16
# Of the name of a person who acts.
MAX_BY = 64
# Of the name of an account that takes work.
MAX_GRADER = 64


class Event(Struct, frozen=True, array_like=True, gc=False):
    """What happened to a submission."""

    at: float
    submission: bytes


class Submitted(Event, frozen=True, array_like=True, gc=False, tag=1):
    """The LMS's submit was accepted, from `sender` (the hash of an account).

    It takes the place of what waits with the same callback URL, came from the same sender, and is `supersede_after`
    seconds older; in its own queue of what others sent, too, if that was `anybodys` to its sender. None: it neither
    supersedes nor is superseded.

    Whoever knows no sender would go by the URL alone. So that is left empty where 0.1.0 looks for it, and it takes
    nobody's place there. The other way round, what 0.1.0 wrote has its URL only there, and no sender: it takes nobody's
    place here, and only a sender to whom that queue is anybody's takes its.

    `sealed_url` is the callback URL for who has the SECRET_KEY (wire/sealed_urls.py), b"": its gateway did not say it.
    """

    queue: str
    url_alone: bytes = b""
    supersede_after: float | None = inf
    url: bytes = b""
    sender: bytes = b""
    anybodys: bool = False
    sealed_url: bytes = b""


class Leased(Event, frozen=True, array_like=True, gc=False, tag=2):
    """A grader got it until `expires_at`; `key` is the hash of the lease key, `sealed` the sealed return address.

    `after` is the key of the lease before it that its gateway has seen run out, b"" if there was none or a released
    one; None, as in 0.1.0: it does not say. `grader` is the name of the account that took it, or its beginning.
    """

    queue: str
    url: bytes
    key: bytes
    expires_at: float
    sealed: str
    attempt: int
    after: bytes | None = None
    grader: str = ""


class Extended(Event, frozen=True, array_like=True, gc=False, tag=3):
    """The lease of `key` runs until `expires_at`.

    Or, with `refused`, it goes on as it was after a reply that was refused for that reason: `digest` is of the reply,
    and where it is refused again in a later lease of the submission, that attempt counts as `again` attempts. (A tag of
    its own would cost gateways of 0.1.0 the whole frame.)
    """

    key: bytes
    expires_at: float
    refused: str = ""
    digest: bytes = b""
    again: int = 1


class Released(Event, frozen=True, array_like=True, gc=False, tag=4):
    """The grader of `key` gave it back; nobody gets it before `available_at`. `failed` counts as a failed attempt."""

    key: bytes
    available_at: float
    failed: bool


class Expired(Event, frozen=True, array_like=True, gc=False, tag=5):
    """The lease of `key` ran out, and its holder gave the delivery back."""

    key: bytes


class Graded(Event, frozen=True, array_like=True, gc=False, tag=6):
    """The first result is safe in the results queue; `digest` is of the reply, `odd` a warning to its author."""

    queue: str
    url: bytes
    key: bytes
    digest: bytes
    odd: str = ""


class Amended(Event, frozen=True, array_like=True, gc=False, tag=7):
    """A further, different result of the same lease is safe; `amendment` counts from 1."""

    key: bytes
    digest: bytes
    amendment: int


class Superseded(Event, frozen=True, array_like=True, gc=False, tag=8):
    """It left its queue ungraded, because `by`, a newer submission with the same callback URL, took its place."""

    queue: str
    by: bytes


class Retired(Event, frozen=True, array_like=True, gc=False, tag=9):
    """An operator took it out of its queue; who that was says `by`, as with all that operators do ("": 0.1.0)."""

    queue: str
    url: bytes
    reason: str
    by: str = ""


class Parked(Event, frozen=True, array_like=True, gc=False, tag=10):
    """It left its queue for the parked submissions; it had been redriven so often before.

    Its student's notice goes at `tell_at` (seconds since the epoch), unless it is redriven or discarded; 0: none goes.
    """

    queue: str
    url: bytes
    reason: str
    redriven: int = 0
    tell_at: float = 0.0


class Delivered(Event, frozen=True, array_like=True, gc=False, tag=11):
    """The LMS took the callback, after `attempts` tries: of a result or, if `notice`, of what its student is told."""

    attempts: int
    notice: bool = False


class Undeliverable(Event, frozen=True, array_like=True, gc=False, tag=12):
    """The result was parked, or the `notice` for its student; `tell_at` as with Parked."""

    reason: str
    notice: bool = False
    tell_at: float = 0.0


class Redriven(Event, frozen=True, array_like=True, gc=False, tag=13):
    """An operator puts the parked submission back into its queue, for the `number`th time: it waits again."""

    queue: str
    url: bytes
    number: int
    by: str = ""


class Discarded(Event, frozen=True, array_like=True, gc=False, tag=14):
    """An operator discarded the parked result, or the relay one that failed after a newer submission's had come.

    The relay does so in nobody's name: its `by` is empty.
    """

    reason: str
    by: str = ""


class Act(StrEnum):
    """What an operator does that changes no submission's standing."""

    RESULT_REDRIVEN = "result redriven"  # a parked result goes to the relay again
    CALLED_IN = "called in"  # a result leaves its rung before its time
    PAUSED = "paused"  # a queue is handed out to nobody, until `until`
    RESUMED = "resumed"
    MIGRATED = "migrated"  # a queue of the broker was made anew with other arguments, `queue` is its full name
    EXPORTED = "exported"  # what gateways hold of `queue` is to go back for a moment, so that it can be read
    IMPORTED = "imported"  # an export was taken in as a whole, `reason` says which


class Acted(Event, frozen=True, array_like=True, gc=False, tag=15):
    """An operator did `act`, to a result of this submission, or to `queue` as a whole (then `submission` is empty).

    `until` is in seconds since the epoch, 0: without an end. 0.1.0 knows none of these, and passes over the whole frame
    that one stands in: so they are written in frames of their own, and a new `act` needs no new event.
    """

    act: str
    by: str
    queue: str = ""
    reason: str = ""
    until: float = 0.0


AnyEvent = (
    Submitted
    | Leased
    | Extended
    | Released
    | Expired
    | Graded
    | Amended
    | Superseded
    | Retired
    | Parked
    | Delivered
    | Undeliverable
    | Redriven
    | Discarded
    | Acted
)


def hash_url(url: str) -> bytes:
    """Hash a callback URL, whole."""
    return hashlib.blake2b(url.encode(errors="surrogatepass"), digest_size=URL_HASH_BYTES).digest()


def hash_sender(account: str, url: bytes) -> bytes:
    """Hash who sent a submission, with its URL's hash: an account has another hash for each URL."""
    return hashlib.blake2b(account.encode(errors="surrogatepass"), digest_size=SENDER_HASH_BYTES, key=url).digest()


def hash_key(key: str) -> bytes:
    """Hash a lease key."""
    return hashlib.blake2b(key.encode(errors="surrogatepass"), digest_size=KEY_HASH_BYTES).digest()
