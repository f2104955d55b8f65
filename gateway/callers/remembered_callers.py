"""Who called with the same headers from the same address a moment ago: to prove it anew takes a tenth of a submit.

Nothing is remembered that could have changed: a wrong password that is counted anywhere, a session that ends or an
address that is forgotten makes all of it void. So no throttle is passed by, and what is right is found out again.
"""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from starlette.requests import Request

from gateway.callers.access import Caller
from gateway.callers.accounts import SESSION_SECONDS, Session

REMEMBERED_SECONDS = 5.0
# Some 0.5 MB. The one that was found out first makes room: a flood costs others what a call cost them without this.
MAX_REMEMBERED = 1000
# Of the headers together, in bytes. Ours have some hundred; to hash more costs strangers nothing and us much.
LONGEST_HEADERS = 4096
_HEADERS = (b"authorization", b"cookie")


@dataclass(frozen=True)
class Known:
    """Who calls, and by which session, if by one."""

    caller: Caller
    session: Session | None


class RememberedCallers:
    """What was found out of callers in the last seconds, by a digest of what they sent; its key never leaves memory."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._memory_key = secrets.token_bytes(32)
        # Oldest first; until when each is good.
        self._known: dict[bytes, tuple[float, Known]] = {}
        self._changes = 0

    def digest_of(self, request: Request) -> bytes | None:
        """Return that by which a caller is known again; None for one who shows nothing, or too much."""
        scope = request.scope
        # No line ends stand in headers, so nothing looks like something else.
        shown = b"\n".join([name + value for name, value in scope["headers"] if name in _HEADERS])
        if not shown or len(shown) > LONGEST_HEADERS:
            return None
        client = scope.get("client")
        whole = shown + b"\n" + (client[0].encode() if client else b"")
        return hashlib.blake2b(whole, digest_size=16, key=self._memory_key).digest()

    def of(self, digest: bytes, changes: int) -> Known | None:
        """Return who it was, unless that is long ago; all are forgotten where `changes` is not what it was."""
        if changes != self._changes:
            self._known.clear()
            self._changes = changes
        until, known = self._known.get(digest, (0.0, None))
        return known if self._clock() < until else None

    def remember(self, digest: bytes, known: Known, changes: int) -> None:
        """Keep what was found out while `changes` was this: before it was begun, so that none was missed."""
        if changes != self._changes:
            return
        left = SESSION_SECONDS - known.session.age if known.session else REMEMBERED_SECONDS
        self._known.pop(digest, None)
        self._known[digest] = self._clock() + min(left, REMEMBERED_SECONDS), known
        if len(self._known) > MAX_REMEMBERED:
            del self._known[next(iter(self._known))]
