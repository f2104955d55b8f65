"""What is archived of a submission and of a result, and the only code that makes bytes of it and reads them."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from broker_setup.errors import BadMessageError


class ArchivedSubmission(Struct, frozen=True, gc=False):
    """What was submitted: `body` as the LMS sent it, `files` with their links, `url` the callback URL.

    Nothing else of the LMS's header is kept. `submitted_at` is in seconds since the epoch.
    """

    uuid: str
    queue: str
    submitted_at: float
    url: str
    body: str
    files: Mapping[str, str] = field(default_factory=dict)


class ArchivedResult(Struct, frozen=True, gc=False):
    """What was answered: `reply` byte for byte; `grader` is the broker's user that published it, "" where none said."""

    submission: str
    graded_at: float
    reply: bytes
    amendment: int = 0
    notice: bool = False
    grader: str = ""


class Kept(Struct, frozen=True, gc=False):
    """One submission with what was answered to it, in the order of the answers."""

    submission: ArchivedSubmission
    results: Sequence[ArchivedResult] = ()

    @property
    def first_result(self) -> ArchivedResult | None:
        """What a grader found first: an LMS takes one reply, and no second one. None where no grader answered."""
        return next((result for result in self.results if not result.notice), None)


_Archived = TypeVar("_Archived", ArchivedSubmission, ArchivedResult)

_encode = msgspec.msgpack.Encoder().encode


def encoded(archived: ArchivedSubmission | ArchivedResult) -> bytes:
    """Make bytes of what is archived."""
    return _encode(archived)


def decoded(kept: bytes, kind: type[_Archived]) -> _Archived:
    """Read them; raise BadMessageError where they are none."""
    try:
        return msgspec.msgpack.decode(kept, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadMessageError(f"this is nothing that was archived: {error}", kept) from None
