"""Calls one passive grader: a bounded answer in a bounded time, or why there is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from ssl import SSLContext
from typing import Self

import aiohttp
from yarl import URL

from broker_setup.outbound.basic_auth import Credentials
from broker_setup.outbound.bounded_answers import BoundedConnector
from broker_setup.outbound.callback_urls import origin_of
from broker_setup.outbound.http_failures import shortage_of, why_no_answer
from broker_setup.outbound.own_services import USER_AGENT
from broker_setup.outbound.redirects import safe_location
from broker_setup.outbound.trust import tls_context
from broker_setup.process.parsing_turns import ParsingTurns
from broker_setup.settings import Settings
from broker_setup.wire.properties import TRACEPARENT_HEADER

# A longer request is sent piece by piece, so that other graders get their turn meanwhile.
_ONE_PIECE = 256 * 1024

# The most bytes of an answer's head, on the wire.
MOST_HEAD = 256 * 1024
# On the wire a chunk of one byte has so many; a grader that writes its reply letter by letter is still read.
MOST_OF_A_CHUNK = 6

# Nothing packed: unpacked, a reply of a few bytes can be gigabytes.
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": USER_AGENT}


@dataclass(frozen=True)
class Replied:
    """The grader answered 200, with this body."""

    body: bytes


@dataclass(frozen=True)
class Failed:
    """There is no usable reply; `reason` says why, with nothing of the reply and of the URL."""

    reason: str


@dataclass(frozen=True)
class NotAsked:
    """The grader could not be asked, for want of something here, such as open files: that is not its fault."""

    lacks: str


def graders_for(settings: Settings) -> dict[str, "PassiveGrader"]:
    """Make the grader of each queue that has a URL; raise SettingsError if their CA bundle can't be used."""
    tls = tls_context("GRADING_CA_BUNDLE", settings.grading_ca_bundle)
    urls = {queue: URL(url) for queue, url in settings.passive_graders.items()}
    # An operator wrote these URLs, so the general credentials (REQUESTS_BASIC_AUTH) go to all of them.
    origins = frozenset(map(origin_of, urls.values()))
    credentials = Credentials(settings.grading_credentials, settings.requests_basic_auth, origins)
    graders, turns = {}, ParsingTurns()
    for queue, url in settings.passive_graders.items():
        grading = settings.grading_of(queue)
        graders[queue] = PassiveGrader(
            url,
            timeout=grading.timeout,
            at_once=grading.concurrency,
            max_reply=grading.max_reply,
            tls=tls,
            headers=credentials.headers(urls[queue]),
            turns=turns,
        )
    return graders


class PassiveGrader:
    """One grader, over connections of its own; open it with `async with`."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        at_once: int,
        max_reply: int,
        tls: SSLContext,
        headers: Mapping[str, str],
        turns: ParsingTurns,
    ) -> None:
        """Give each request `timeout` seconds in all, and read `max_reply` bytes of an answer at the most.

        `headers` go with each request, such as one that shows who we are; `turns` are those of all graders.
        """
        self._url = url
        self._tls = tls
        self._headers = headers
        self._turns = turns
        self._timeout = timeout
        self._at_once = at_once
        self._max_reply = max_reply

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # No connection is used twice: one that the grader is just closing would cost a try.
            connector=BoundedConnector(
                most_bytes=MOST_HEAD + MOST_OF_A_CHUNK * self._max_reply,
                turns=self._turns,
                limit=self._at_once,
                force_close=True,
                ssl=self._tls,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            headers={**_HEADERS, **self._headers},
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def grade(self, request: bytes, traceparent: str = "") -> Replied | Failed | NotAsked:
        """Post `request` once, a part of that trace; never raise for what the grader or the network does."""
        headers = {TRACEPARENT_HEADER: traceparent} if traceparent else None
        data = request if len(request) <= _ONE_PIECE else BytesIO(request)
        try:
            async with self._session.post(self._url, data=data, headers=headers, allow_redirects=False) as response:
                if response.status != HTTPStatus.OK:
                    return Failed(_not_ok(response))
                return await self._read(response)
        except TimeoutError:
            return Failed(f"no whole answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if lacks := shortage_of(error):
                return NotAsked(lacks)
            return Failed(why_no_answer(error) or f"the request failed: {type(error).__name__}")

    async def _read(self, response: aiohttp.ClientResponse) -> Replied | Failed:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            return Failed("its reply is packed")
        # Its Content-Length is believed only where it announces too much.
        much = (response.content_length or 0) > self._max_reply
        body = bytearray()
        while not much and (piece := await response.content.readany()):
            body += piece
            much = len(body) > self._max_reply
        return Failed(f"its reply has more than {self._max_reply} bytes") if much else Replied(bytes(body))


def _not_ok(response: aiohttp.ClientResponse) -> str:
    status = response.status
    match status:
        case HTTPStatus.UNAUTHORIZED if "Authorization" in response.request_info.headers:
            return f"answered {status}: it does not take the credentials that it was shown"
        case HTTPStatus.UNAUTHORIZED:
            return f"answered {status}: it wants credentials, which GRADING_CREDENTIALS names"
        case _ if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            place = safe_location(response.url, response.headers.get("Location"))
            leads = f" with a redirect to {place}" if place else ""
            return f"answered {status}{leads}: redirects are not followed, so XQUEUES has to have the URL that answers"
        case _:
            return f"answered {status}"
