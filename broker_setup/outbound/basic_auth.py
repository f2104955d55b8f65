"""Which Basic auth goes with a request: a URL's own, its origin's, or the general one where that may go; no I/O."""

from collections.abc import Mapping

from aiohttp import encode_basic_auth
from pydantic import SecretStr
from yarl import URL

from broker_setup.outbound.callback_urls import origin_of

UserAndPassword = tuple[str, SecretStr]


def basic_auth(pair: UserAndPassword) -> dict[str, str]:
    """Make the header; empty for `["", ""]`, which says that there is none."""
    user, password = pair[0], pair[1].get_secret_value()
    return {"Authorization": encode_basic_auth(user, password)} if user or password else {}


class Credentials:
    """The credentials of a process: those of single origins, and general ones for the origins of a list."""

    def __init__(
        self, own: Mapping[str, UserAndPassword], general: UserAndPassword | None, origins: frozenset[str]
    ) -> None:
        """`general` go to `origins` that have no `own`."""
        self._own = {origin: basic_auth(pair) for origin, pair in own.items()}
        self._general = basic_auth(general) if general else {}
        self._origins = origins

    def headers(self, url: URL) -> dict[str, str]:
        """Return the header for a request to `url`; none where user and password stand in the URL, which mean those."""
        if url.raw_user is not None:
            return {}
        origin = origin_of(url)
        return self._own.get(origin, self._general if origin in self._origins else {})

    def are_withheld_from(self, url: URL) -> bool:
        """Whether there are general ones, and `url` is not of an origin that they are for."""
        origin = origin_of(url)
        return bool(self._general) and url.raw_user is None and origin not in self._own and origin not in self._origins
