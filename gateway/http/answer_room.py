"""What submissions take of memory until whoever polled for them has read the answer: each account has its share."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from broker_setup.process.beside import LARGE_BYTES, acting_for
from broker_setup.wire.properties import MAX_MESSAGE_BYTES
from gateway.http.envelope import SMALL_BYTES
from gateway.http.shared_room import BusyError, SharedRoom

# A text takes four bytes of memory for each character if one of them is rare. There is always room for one such answer.
LARGEST_ANSWER_BYTES = 4 * MAX_MESSAGE_BYTES + LARGE_BYTES


class AnswerShare:
    """The room that one answer has taken."""

    def __init__(self, room: SharedRoom) -> None:
        self._room = room
        self._account = ""
        self._taken = 0

    def fits(self, size: int) -> bool:
        """Take room for an answer of `size` bytes, in place of what it had taken before; False where there is none."""
        size = 0 if size <= SMALL_BYTES else size
        if size <= self._taken:
            self._give(self._taken - size)
            return True
        account = self._account if self._taken else acting_for.get()
        try:
            self._room.take(account, size - self._taken, self._taken)
        except BusyError:
            return False
        self._account, self._taken = account, size
        return True

    def give_back(self) -> None:
        """Give all of it back."""
        self._give(self._taken)

    def _give(self, size: int) -> None:
        self._room.give_back(self._account, size)
        self._taken -= size


class AnswerRoom:
    """Gives each request its share, which ends when the answer has been read, or the client has gone."""

    def __init__(self, app: ASGIApp, room: SharedRoom) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        share = scope.setdefault("state", {})["answer_share"] = AnswerShare(self._room)
        try:
            await self._app(scope, receive, send)
        finally:
            share.give_back()


def share_of(request: Request) -> AnswerShare:
    """Return the share of a request's answer."""
    share: AnswerShare = request.scope["state"]["answer_share"]
    return share
