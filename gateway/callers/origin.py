"""Where a request comes from, as the server and the trusted proxies before it say; and whether one is not trusted."""

import logging
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.types import Scope

log = logging.getLogger(__name__)

# The network of one customer of a provider, who can change the other bits at no cost.
_IPV6_PREFIX = 64
# Characters of a header that names hosts. Each name takes a moment, and a head has room for 30,000.
LONGEST_NAMES = 1024
# Characters; no address has more, and what a proxy says may.
_LONGEST_ADDRESS = 64
# To read an address takes as long as to look up a whole call.
_ADDRESSES_IN_MIND = 1000


def address_of(request: Request) -> str:
    """Return the caller's address as guesses are counted for it; of IPv6 only the network. Empty if there is none."""
    client = request.scope.get("client")
    host: str = client[0] if client else ""
    return _counted_for(host) if len(host) <= _LONGEST_ADDRESS else _counted_for(host[:_LONGEST_ADDRESS])


@lru_cache(_ADDRESSES_IN_MIND)
def _counted_for(host: str) -> str:
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Address(int(address) >> _IPV6_PREFIX << _IPV6_PREFIX))
    return host


def came_over_tls(request: Request, public_url: str | None) -> bool:
    """Whether the caller's own connection is encrypted, also where TLS ends at a proxy before us.

    A request by another name than PUBLIC_URL's, as from inside a cluster, goes by its own scheme.
    """
    public = urlsplit(public_url or "")
    by_public_name = bool(public.netloc) and request.headers.get("host", "").lower() == public.netloc.lower()
    return request.url.scheme == "https" or (public.scheme == "https" and by_public_name)


def agent_of(request: Request) -> str:
    """Return the program that calls, as it calls itself."""
    return request.headers.get("user-agent", "")[:200]


def is_of_another_site(request: Request, public_url: str | None) -> bool:
    """Whether a browser says that the request comes from a page of a host that is not ours; other clients don't say.

    Only hosts are compared: proxies change ports and schemes, and some clients leave them out. No page can set
    X-Forwarded-Host, so it is believed here whoever sends it.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return False
    forwarded = request.headers.get("x-forwarded-host", "")[:LONGEST_NAMES].split(",")
    ours = {_host(name) for name in (request.headers.get("host", ""), public_url or "", *forwarded)} - {""}
    return len(origin) > LONGEST_NAMES or _host(origin) not in ours


def _host(name: str) -> str:
    try:
        return urlsplit(name.strip() if "//" in name else f"//{name.strip()}").hostname or ""
    except ValueError:
        return ""


# Bytes of X-Forwarded-For that are looked at, the last: whoever is nearest to us stands there.
_LONGEST_NAMED = 2048


class UnheededProxies:
    """Says once that a proxy in front is not in TRUSTED_PROXIES: its clients are throttled as one."""

    def __init__(self) -> None:
        self._has_warned = False

    def look(self, scope: Scope) -> None:
        """Look at who forwarded a request."""
        if not self._has_warned and (peer := _unheeded_peer(scope)):
            self._has_warned = True
            log.warning(
                "%s sends X-Forwarded-For and is not in TRUSTED_PROXIES, so all its clients count as one: ten wrong "
                "passwords of anybody keep all of them from logging in to that account for five minutes. If it is your "
                "proxy, name it there",
                peer,
            )


def _unheeded_peer(scope: Scope) -> str | None:
    """Return who sent the header though it is not trusted; of a trusted one the client is one that the header names."""
    forwarded = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    if not forwarded or not scope["client"]:
        return None
    named = b",".join(forwarded)[-_LONGEST_NAMED:].decode("latin-1")
    if not named.strip(", "):
        return None
    peer: str = scope["client"][0]
    # It may name ports, and IPv6 addresses in brackets.
    return None if any(each.strip(" [").startswith(peer) for each in named.split(",")) else peer
