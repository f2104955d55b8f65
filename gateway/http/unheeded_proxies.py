"""Says once that a proxy in front is not trusted: all its clients share its address then, and are throttled as one."""

import logging

from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger(__name__)


class UnheededProxies:
    """Looks for requests that were forwarded by somebody whom TRUSTED_PROXIES does not name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass every request on."""
        if not self._has_warned and scope["type"] == "http" and (peer := _unheeded_peer(scope)):
            self._has_warned = True
            log.warning(
                "%s sends X-Forwarded-For and is not in TRUSTED_PROXIES, so all its clients count as one: ten wrong "
                "passwords of anybody keep all of them from logging in to that account for five minutes. If it is your "
                "proxy, name it there",
                peer,
            )
        await self._app(scope, receive, send)


def _unheeded_peer(scope: Scope) -> str | None:
    """Return who sent the header in vain; where it is heeded, the client is one of those that it names."""
    named = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    if not named.strip(", ") or not scope["client"]:
        return None
    peer: str = scope["client"][0]
    # It may name ports, and IPv6 addresses in brackets.
    return None if any(each.strip(" [").startswith(peer) for each in named.split(",")) else peer
