"""Posts callbacks: the right headers to the right origin, a bounded answer, and an outcome for whatever happens."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from http import HTTPStatus
from ssl import SSLContext
from time import monotonic, time
from typing import Self

import aiohttp
from yarl import URL

from broker_setup.outbound.basic_auth import Credentials
from broker_setup.outbound.bounded_answers import BoundedConnector
from broker_setup.outbound.callback_urls import CallbackOrigins
from broker_setup.outbound.guarded_connections import GuardedNames, guarded_connector
from broker_setup.outbound.own_addresses import OwnAddresses
from broker_setup.outbound.own_services import USER_AGENT
from broker_setup.outbound.redirects import safe_location
from broker_setup.outbound.trust import tls_context
from broker_setup.process.parsing_turns import ParsingTurns
from broker_setup.settings import Settings
from broker_setup.wire.secret_keys import signing_key
from callback_relay.callback import Callback
from callback_relay.credentials import callback_credentials
from callback_relay.kept_connections import Sending, noting_kept_connections
from callback_relay.outcome import Answered, NoAnswer, NotAllowed, NotMade
from callback_relay.pages import is_page
from callback_relay.reason import Reason, Slug
from callback_relay.retry_after import seconds_until
from callback_relay.signing import Signer
from callback_relay.straight_posts import Answer, StraightPosts, beginning
from callback_relay.without_answer import without_answer

# The LMS's reply means little beyond its status; this much of it is read so that the connection can be used again.
REPLY_CAP = 64 * 1024

# What is longer is encoded and sent piece by piece: it is never in memory whole, and other callbacks get their turn.
ONE_PIECE = 256 * 1024

# Origins that a warning names, each once; whoever can submit can make up more.
MOST_NAMED = 100

log = logging.getLogger(__name__)

_WITHHELD = (
    "wants credentials, and REQUESTS_BASIC_AUTH was not sent, as no setting says that it is for that origin: "
    "if that is your LMS, name it in CALLBACK_ALLOWED_ORIGINS"
)
_PAGE = (
    "answers callbacks 200 with a page for people, where an LMS answers nothing: a maintenance or a login may have "
    "taken these results in its place. They count as delivered; CALLBACK_HOLD_PAGES has such results tried again"
)
_PAGE_HELD = (
    "answers callbacks 200 with a page for people, where an LMS answers nothing: "
    "the results are tried again, as CALLBACK_HOLD_PAGES says"
)

_HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": USER_AGENT,
    # Nothing is unpacked, and a page that came packed could not be told from another.
    "Accept-Encoding": "identity",
}
_OK = 200
_TAKEN = Answered(_OK)


def poster_for(settings: Settings) -> "Poster":
    """Make the Poster that `settings` ask for; raise SettingsError if their CA bundle can't be used."""
    own = settings.own_services
    return Poster(
        timeout=settings.requests_timeout,
        concurrency=settings.callback_concurrency,
        origins=CallbackOrigins(settings.callback_allowed_origins, own.behind),
        own=OwnAddresses(own),
        tls=tls_context("CALLBACK_CA_BUNDLE", settings.callback_ca_bundle),
        credentials=callback_credentials(settings),
        signer=Signer([signing_key(key.get_secret_value()) for key in settings.callback_signing_key])
        if settings.callback_signing_key
        else None,
        holds_pages=settings.callback_hold_pages,
    )


class Poster:
    """Posts callbacks over one pool of connections; open it with `async with`."""

    def __init__(
        self,
        *,
        timeout: float,
        concurrency: int,
        origins: CallbackOrigins,
        own: OwnAddresses,
        tls: SSLContext,
        credentials: Credentials,
        signer: Signer | None,
        holds_pages: bool,
    ) -> None:
        """Give each callback `timeout` seconds in all, with at most `concurrency` connections.

        `holds_pages`: who answers 200 with a page for people has not taken the result.
        """
        self._timeout = timeout
        self._concurrency = concurrency
        self._origins = origins
        self._own = own
        self._tls = tls
        self._credentials = credentials
        self._holds_pages = holds_pages
        self._named: set[tuple[str, str]] = set()
        self._signer = signer

    async def __aenter__(self) -> Self:
        self._names = GuardedNames(self._own)
        # Before the first callback, which may be for them.
        await self._own.look_up(self._names.addresses_of)
        self._looking_up = asyncio.create_task(self._own.keep_up(self._names.addresses_of), name="own addresses")
        turns = ParsingTurns()
        pool = guarded_connector(self._concurrency, self._tls, self._names, turns)
        self._straight = StraightPosts(pool, self._tls, self._headers, most=REPLY_CAP)
        self._kept = self._session(pool)
        self._new = self._session(guarded_connector(self._concurrency, self._tls, self._names, turns, keep=False))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._looking_up.cancel()
        await asyncio.wait({self._looking_up})
        await self._kept.close()
        await self._new.close()
        await self._names.close()

    def _session(self, pool: BoundedConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=pool,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trace_configs=[noting_kept_connections()],
        )

    async def post(self, callback: Callback) -> Answered | NoAnswer | NotAllowed | NotMade:
        """Post `callback` once; never raise for what the LMS or the network does.

        Where the LMS closed a kept connection just then, once more on a new one: that was no try.
        """
        if refusal := self._origins.refusal(callback.url):
            return NotAllowed(Reason(Slug.NOT_ALLOWED, refusal))
        began, sending = monotonic(), Sending()
        # A user and password of a URL's own are for the library to encode.
        is_usual = len(callback.header) + len(callback.body) <= ONE_PIECE and callback.url.raw_user is None
        try:
            try:
                if is_usual:
                    answer = await self._post_straight(callback, sending)
                else:
                    answer = await self._post(self._kept, callback, sending, self._timeout)
            except aiohttp.ClientConnectionError as error:
                left = self._timeout - (monotonic() - began)
                if left <= 0 or not sending.met_a_closing(error):
                    raise
                answer = await self._post(self._new, callback, sending, left)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return without_answer(error, self._timeout)
        return self._outcome(callback, answer)

    async def _post_straight(self, callback: Callback, sending: Sending) -> Answer:
        form = callback.form()
        signature: dict[str, str] = {}
        if self._signer:
            signing = self._signer.begin(callback.id, int(time()))
            signing.update(form)
            signature = signing.headers()
        return await self._straight.post(
            callback.origin, callback.url, signature, form, sending=sending, seconds=self._timeout
        )

    async def _post(
        self, session: aiohttp.ClientSession, callback: Callback, sending: Sending, seconds: float
    ) -> Answer:
        form, headers = await self._sent(callback)
        async with session.post(
            callback.url,
            data=form,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=seconds),
            trace_request_ctx=sending,
        ) as response:
            return Answer(response.status, response.headers, await beginning(response.content, REPLY_CAP))

    def _outcome(self, callback: Callback, answer: Answer) -> Answered | NoAnswer:
        status, headers, body = answer
        if status == _OK:
            if body and is_page(headers.get("Content-Type", ""), body):
                return self._page(callback.origin)
            return _TAKEN
        if status == HTTPStatus.UNAUTHORIZED and self._credentials.are_withheld_from(callback.url):
            self._say_once(callback.origin, _WITHHELD)
        is_redirect = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
        location = safe_location(callback.url, headers.get("Location")) if is_redirect else None
        return Answered(status, seconds_until(headers.get("Retry-After"), time()), location)

    def _page(self, origin: str) -> Answered | NoAnswer:
        self._say_once(origin, _PAGE_HELD if self._holds_pages else _PAGE)
        if self._holds_pages:
            return NoAnswer(Reason(Slug.PAGE, "answered 200 with a page for people"))
        return Answered(_OK, is_page=True)

    def _headers(self, url: URL) -> dict[str, str]:
        """Return those that all that goes to the origin of `url` has."""
        return _HEADERS | self._credentials.headers(url)

    def _say_once(self, origin: str, warning: str) -> None:
        if (origin, warning) not in self._named and len(self._named) < MOST_NAMED:
            self._named.add((origin, warning))
            log.warning("%s %s", origin, warning)

    async def _sent(self, callback: Callback) -> tuple[bytes | AsyncIterator[bytes], dict[str, str]]:
        """Return the form, whole or in pieces, and its headers."""
        headers = self._headers(callback.url)
        signature = self._signer.begin(callback.id, int(time())) if self._signer else None
        form: bytes | AsyncIterator[bytes]
        if len(callback.header) + len(callback.body) <= ONE_PIECE:
            form = callback.form()
            if signature:
                signature.update(form)
        else:
            length = 0
            async for piece in _in_turn(callback.form_pieces()):
                length += len(piece)
                if signature:
                    signature.update(piece)
            headers = headers | {"Content-Length": str(length)}
            form = _in_turn(callback.form_pieces())
        return form, (headers | signature.headers() if signature else headers)


async def _in_turn(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)
