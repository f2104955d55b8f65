"""Makes paths what their senders mean: an LMS whose setting ends in a slash asks for //xqueue/login/."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.files import LINK_PATH

_SLASHES = re.compile(r"/{2,}")
_LINKS = LINK_PATH.encode()
# An escaped slash, backslash or control character is part of a name, and no call has one in its name.
_OF_A_NAME = re.compile(rb"%(?:2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)


class PlainPaths:
    """Looks at the path before it is routed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass every request on."""
        if scope["type"] == "http":
            path = plain_path(scope["path"], scope.get("raw_path", b""))
            if path != scope["path"]:
                scope = {**scope, "path": path, "raw_path": path.encode()}
        await self._app(scope, receive, send)


def plain_path(path: str, raw: bytes) -> str:
    """Return the path to be routed, given it decoded and as it was sent."""
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if b"%" in raw and _OF_A_NAME.search(raw) and not raw.startswith(_LINKS):
        # Escaped as it was sent, which matches no route.
        return raw.decode("ascii")
    return path
