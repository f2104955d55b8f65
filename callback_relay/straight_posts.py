"""Posts small forms straight on the library's connections: what of a request never changes is made once for an origin.

Around each request the library's session makes a dozen objects anew, which cost three times the POST. Beneath it, its
pool of connections does all else as ever: names, sockets, TLS, how many there are, and the bounds of what answers.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from ssl import SSLContext
from typing import NamedTuple

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from broker_setup.outbound.bounded_answers import BoundedAnswers, BoundedConnector
from callback_relay.kept_connections import Sending

# Some 3 KB each, and whoever submits may name any number.
MOST_TARGETS = 1_000
_CONTINUE, _OK = 100, 200


class Answer(NamedTuple):
    """What was read of an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Target:
    """An origin: how it is connected to, and the part of each request's head that is always the same."""

    def __init__(self, url: URL, headers: Mapping[str, str], tls: SSLContext) -> None:
        """Send `headers` with each request to the origin of `url`."""
        self.request = ClientRequest("POST", url.origin(), ssl=tls, loop=asyncio.get_running_loop())
        self.key = self.request.connection_key
        self.head = lines({"Host": url.host_port_subcomponent or "", "Accept": "*/*", **headers})


class StraightPosts:
    """Posts over the connections of `pool`, each form in one write."""

    def __init__(
        self, pool: BoundedConnector, tls: SSLContext, headers: Callable[[URL], Mapping[str, str]], *, most: int
    ) -> None:
        """Send those `headers` with what goes to a URL's origin; read `most` bytes of an answer's body."""
        self._pool = pool
        self._tls = tls
        self._headers = headers
        self._most = most
        self._targets: dict[str, Target] = {}

    async def post(
        self, origin: str, url: URL, more: Mapping[str, str], form: bytes, *, sending: Sending, seconds: float
    ) -> Answer:
        """Post `form` once to a URL of `origin` that has no user; `more` are the headers of this one.

        Raise an error of the library's where no answer came, and TimeoutError where that took `seconds`.
        """
        until = asyncio.get_running_loop().time() + seconds
        target = self._target(origin, url)
        connection = await self._pool.connected(target.request, target.key, seconds)
        answers = connection.protocol
        assert isinstance(answers, BoundedAnswers)
        sending.on_kept_connection = answers.was_used
        timer = answers.give_up_at(until)
        try:
            answers.set_response_params(read_until_eof=True, auto_decompress=False)
            if answers.transport is not None:
                head = (
                    f"POST {url.raw_path_qs} HTTP/1.1\r\n{target.head}{lines(more)}Content-Length: {len(form)}\r\n\r\n"
                )
                answers.transport.write(head.encode() + form)
            status, headers, content = await _head(answers, target)
            body = b"" if content.at_eof() else await beginning(content, self._most)
        except BaseException:
            connection.close()
            raise
        finally:
            timer.cancel()
        connection.release()
        return Answer(status, headers, body)

    def _target(self, origin: str, url: URL) -> Target:
        target = self._targets.get(origin)
        if target is None:
            if len(self._targets) >= MOST_TARGETS:
                del self._targets[next(iter(self._targets))]
            target = self._targets[origin] = Target(url, self._headers(url), self._tls)
        return target


def lines(headers: Mapping[str, str]) -> str:
    """Make the lines of a head; nothing of a stranger's may be among them."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


async def _head(answers: BoundedAnswers, target: Target) -> tuple[int, Mapping[str, str], aiohttp.StreamReader]:
    try:
        while True:
            message, content = await answers.read()
            # What comes before an answer, such as 102 Processing; but after a 101 nothing does.
            if not _CONTINUE <= message.code < _OK or message.code == HTTPStatus.SWITCHING_PROTOCOLS:
                return message.code, message.headers, content
    except HttpProcessingError as error:
        raise aiohttp.ClientResponseError(target.request.request_info, (), message=error.message) from error


async def beginning(content: aiohttp.StreamReader, most: int) -> bytes:
    """Read a body to its end, or as much of it as comes, or `most` bytes of it."""
    body = bytearray()
    # The status is the answer, whatever becomes of the rest.
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        while (left := most - len(body)) > 0 and (chunk := await content.read(left)):
            body += chunk
    return bytes(body)
