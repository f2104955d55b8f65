"""Which addresses a connection to the broker may go to: every node's, in an order of chance."""

import asyncio
import random
import socket
from urllib.parse import urlsplit

from broker_setup.link.broker_url import at_address, each_of, port_of


async def ways_to(url: str) -> list[str]:
    """Return a URI for each address that `url` names, by itself or through a name, shuffled.

    So that many processes spread over a cluster, and one whose node is away finds the next. An amqps host stays a name,
    for its certificate is the name's: give several URIs there. A name that can't be resolved stays as it is, and fails.
    """
    found = await asyncio.gather(*map(_resolved, each_of(url)))
    ways = list(dict.fromkeys(way for ways in found for way in ways))
    random.shuffle(ways)
    return ways


async def _resolved(uri: str) -> list[str]:
    parts = urlsplit(uri)
    if parts.scheme == "amqps" or not parts.hostname:
        return [uri]
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(parts.hostname, port_of(uri), type=socket.SOCK_STREAM)
    except OSError:
        return [uri]
    return [at_address(uri, str(address[0])) for *_, address in infos]
