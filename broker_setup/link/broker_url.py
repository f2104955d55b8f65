"""AMQP_URL: its parts, that of another user, and the addresses that it leads to.

It is one URI, or several of one cluster with commas in between: the nodes that a process may connect to, all with the
same user and virtual host.
"""

import asyncio
import random
import re
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

# Where the authorities to trust stand.
_CA_FILE = "cafile"
_DEFAULT_PORTS = {"amqps": 5671}
# A grader's submissions may come by HTTP.
_TLS = {"amqps", "https"}
# Only a comma before a scheme separates: a password may have one, too.
_BETWEEN = re.compile(r",\s*(?=amqps?://)")


def each_of(url: str) -> list[str]:
    """Return the URIs in `url`, each of another node."""
    return _BETWEEN.split(url)


def port_of(uri: str) -> int:
    """Return the port that one URI names."""
    parts = urlsplit(uri)
    return parts.port or _DEFAULT_PORTS.get(parts.scheme, 5672)


def user_of(url: str) -> str | None:
    """Return the user that `url` names, None if it names none (as where a token is the password)."""
    return unquote(urlsplit(each_of(url)[0]).username or "") or None


def address_of(url: str) -> str:
    """Return the hosts and the ports that `url` names, and nothing else of it: fit for a log."""
    return ", ".join(map(_address_of_one, each_of(url)))


def vhost_of(url: str) -> str:
    """Return the virtual host that `url` names: without one, it is the default one."""
    return unquote(urlsplit(each_of(url)[0]).path.removeprefix("/")) or "/"


def url_for(url: str, user: str, password: str) -> str:
    """Return `url` with another user and password."""

    def change(uri: str) -> str:
        parts = urlsplit(uri)
        where = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=f"{quote(user, safe='')}:{quote(password, safe='')}@{where}").geturl()

    return _in_each(url, change)


def trusting(url: str, ca_bundle: Path) -> str:
    """Return `url` with the authorities that are to be trusted for it, which is for TLS alone."""

    def change(uri: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme not in _TLS:
            return uri
        query = parse_qs(parts.query, keep_blank_values=True)
        query.pop(_CA_FILE, None)
        return parts._replace(query=urlencode({**query, _CA_FILE: str(ca_bundle)}, doseq=True)).geturl()

    return _in_each(url, change)


def without_ca_bundle(uri: str) -> tuple[str, Path | None]:
    """Return one URI as clients read it that know nothing of such a bundle, and the bundle."""
    parts = urlsplit(uri)
    query = parse_qs(parts.query, keep_blank_values=True)
    [bundle] = query.pop(_CA_FILE, [None])[-1:]
    return parts._replace(query=urlencode(query, doseq=True)).geturl(), Path(bundle) if bundle else None


def at_address(uri: str, address: str) -> str:
    """Return one URI with an IP address in place of its host."""
    parts = urlsplit(uri)
    account, at, _ = parts.netloc.rpartition("@")
    host = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=f"{account}{at}{host}:{port_of(uri)}").geturl()


async def ways_to(url: str) -> list[str]:
    """Return a URI for each address that `url` names, by itself or through a name, shuffled.

    Shuffled, many processes spread over a cluster, and one whose node is away finds the next. An amqps host stays a
    name, since its certificate is for the name: give several URIs there. A name that can't be resolved stays as it is,
    and connecting to it fails.
    """
    found = await asyncio.gather(*map(_resolved, each_of(url)))
    ways = list(dict.fromkeys(way for ways in found for way in ways))
    random.shuffle(ways)
    return ways


def _in_each(url: str, change: Callable[[str], str]) -> str:
    return ",".join(map(change, each_of(url)))


def _address_of_one(uri: str) -> str:
    host = urlsplit(uri).hostname or "localhost"
    return f"{f'[{host}]' if ':' in host else host}:{port_of(uri)}"


async def _resolved(uri: str) -> list[str]:
    parts = urlsplit(uri)
    if parts.scheme == "amqps" or not parts.hostname:
        return [uri]
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port_of(uri), type=socket.SOCK_STREAM)
    except OSError:
        return [uri]
    return [at_address(uri, str(address[0])) for *_, address in infos]
