"""Makes paths what their senders mean: an LMS whose setting ends in a slash asks for //xqueue/login/."""

import re

from starlette.types import Scope

from broker_setup.wire.file_links import LINK_PATH

_SLASHES = re.compile(r"/{2,}")
_LINKS = LINK_PATH.encode()
# An escaped slash, backslash or control character is part of a name, and no call has one in its name.
_OF_A_NAME = re.compile(rb"%(?:2f|5c|[01][0-9a-f]|7f)", re.IGNORECASE)


def with_plain_path(scope: Scope) -> Scope:
    """Return a request's scope with the path to be routed."""
    path = plain_path(scope["path"], scope.get("raw_path", b""))
    return scope if path == scope["path"] else {**scope, "path": path, "raw_path": path.encode()}


def plain_path(path: str, raw: bytes) -> str:
    """Return the path to be routed, given it decoded and as it was sent."""
    if "//" in path:
        path = _SLASHES.sub("/", path)
    if b"%" in raw and _OF_A_NAME.search(raw) and not raw.startswith(_LINKS):
        # Escaped as it was sent, which matches no route.
        return raw.decode("ascii")
    return path
