"""Lets only those callers through to a call whom the door admits; the others are refused when their body has come."""

import logging
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway.callers.door import Door, NotLoggedInError
from gateway.callers.origin import address_of
from gateway.callers.sessions import Sessions
from gateway.http.forms import drain
from gateway.http.refusals import REFUSED

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


class GuardedCalls:
    """Puts the door in front of endpoints, and renews the sessions of those who come through."""

    def __init__(self, door: Door, sessions: Sessions) -> None:
        self._door = door
        self._sessions = sessions

    def guarded(self, call: str, endpoint: Endpoint) -> Endpoint:
        """Let only callers that may make `call` through to `endpoint`."""

        async def guarded(request: Request) -> Response:
            try:
                session = await self._door.admit(request, call)
            except REFUSED as error:
                if not isinstance(error, NotLoggedInError):
                    log.info("%s from %s: %s", request.url.path, address_of(request), error)
                # The body first: answered early, nginx makes a 502 of it.
                await drain(request.stream())
                raise
            answer = await endpoint(request)
            if session:
                self._sessions.renew(request, answer, session)
            return answer

        return guarded
