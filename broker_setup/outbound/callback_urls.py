"""Callback URLs: how one is read, which origin it has, and whether callbacks may go there; no I/O.

The gateway asks at submit and the relay before each POST. Both ask about the parsed URL, whose host is the one that
is connected to, whatever the text looked like.
"""

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

from broker_setup.errors import BadCallbackUrlError
from broker_setup.outbound.forbidden_addresses import why_forbidden

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST_HOST = 253  # of a name in DNS
# Beyond these the library doesn't see a URL: a sign of a host that isn't ASCII takes it 0.15 ms, and the time grows
# with the square of accents in a row; and it keeps the last URLs that it saw.
LONGEST_URL = 8192
MOST_NOT_ASCII = 253
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_HOST = re.compile(r"[A-Za-z0-9._-]+")
# What inet_aton and browsers take for an address: 127.1, 2130706433, 0177.0.0.1, 0x7f.1, and all with a dot behind.
_ENDS_IN_A_NUMBER = re.compile(r"(.*\.)?([0-9]+|0[xX][0-9A-Fa-f]*)\.?")


def parsed(given: str) -> URL:
    """Parse a URL that a stranger wrote; raise ValueError, and nothing else, for what is none or too long to be one."""
    if why := _why_too_long(given):
        raise ValueError(f"the URL has {why}")
    return _read(given, encoded=False)


def _read(given: str, *, encoded: bool) -> URL:
    try:
        return URL(given, encoded=encoded)
    except IndexError:
        # The library's own stumble, over brackets before an @ with no host behind it.
        raise ValueError("the URL has brackets, and no host") from None


def callback_url(given: str) -> URL:
    """Parse a callback URL; raise BadCallbackUrlError where no result could be posted to it."""
    if why := _why_too_long(given):
        raise BadCallbackUrlError(f"the LMS's callback URL has {why}")
    try:
        url = _read(given, encoded=_is_plain(given))
        if url.scheme not in _DEFAULT_PORTS or not url.raw_host:
            raise BadCallbackUrlError("the LMS's callback URL is not an http or https URL")
        _check_host(url.raw_host)
    except ValueError:
        # Not chained: the library's text quotes the URL.
        raise BadCallbackUrlError("the LMS's callback URL can't be read") from None
    return url


def _why_too_long(url: str) -> str:
    if len(url) > LONGEST_URL:
        return f"more than {LONGEST_URL} characters"
    if not url.isascii() and sum(map(len, _NOT_ASCII.findall(url))) > MOST_NOT_ASCII:
        return f"more than {MOST_NOT_ASCII} characters that are not ASCII"
    return ""


def _is_plain(url: str) -> bool:
    """Tell whether `url` can go on the wire as it is; quoting it anew could change it (%2F to a slash)."""
    url.encode()  # half a surrogate pair is no character: let that be an error
    return url.isascii() and url.isprintable() and " " not in url


def _check_host(host: str) -> None:
    """Raise ValueError for a host that one program reads like this and another like that (%6c, zones, commas)."""
    if len(host) > _LONGEST_HOST:
        raise ValueError("the host is longer than any name can be")
    if ":" in host and "%" not in host:
        IPv6Address(host)
    elif not _HOST.fullmatch(host):
        raise ValueError("the host has characters that no host name has")


def origin_of(url: URL) -> str:
    """Return scheme, host and, if it isn't the scheme's own, port: no path, no user, no password."""
    host = (url.raw_host or "").lower()
    shown = f"[{IPv6Address(host).compressed}]" if ":" in host else host
    port = "" if url.port == _DEFAULT_PORTS.get(url.scheme) else f":{url.port}"
    return f"{url.scheme}://{shown}{port}"


def origin(text: str) -> str:
    """Return the normal form of an origin that stands in the settings; raise ValueError if it is none."""
    try:
        url = callback_url(text)
    except BadCallbackUrlError:
        url = URL()
    more = url.raw_path != "/" or url.raw_query_string or url.raw_fragment or url.raw_authority.count("@")
    if not url.raw_host or not url.port or more or text != text.strip() or not text.isprintable():
        raise ValueError("must be an origin (scheme, host, port) such as https://lms.example or http://lms:8000")
    if why := _why_no_host_for_callbacks(url.raw_host):
        raise ValueError(f"names {why}, which no callback goes to")
    return origin_of(url)


class CallbackOrigins:
    """Where callbacks may go: to the origins of a list, or anywhere but to forbidden addresses if there is none."""

    def __init__(self, allowed: Collection[str] | None, own: Callable[[URL], str | None] = lambda _: None) -> None:
        """Take normal origins, or None for no list; `own` says what of our own services a URL leads to."""
        self._allowed = None if allowed is None else frozenset(allowed)
        self._own = own

    @property
    def listed(self) -> bool:
        """Whether there is a list."""
        return self._allowed is not None

    def refusal(self, url: URL) -> str | None:
        """Say why no callback may go to `url`, with no more of it than its origin; None if one may."""
        target = origin_of(url)
        if self._allowed is not None and target not in self._allowed:
            return f"callbacks to {target} are not allowed"
        if why := _why_no_host_for_callbacks(url.raw_host or ""):
            return f"callbacks to {target} are not allowed: it is {why}"
        if what := self._own(url):
            return f"callbacks to {target} are not allowed: {what} is there"
        return None


@lru_cache(maxsize=1024)
def _why_no_host_for_callbacks(host: str) -> str | None:
    """Check a host that is an address; of a name, the relay checks the addresses that it leads to."""
    if ":" in host:
        return why_forbidden(IPv6Address(host))
    if not _ENDS_IN_A_NUMBER.fullmatch(host):
        return None
    try:
        return why_forbidden(IPv4Address(host))
    except ValueError:
        return "a number that is no plain address"
