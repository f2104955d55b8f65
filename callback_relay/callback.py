"""The callback: what is posted to which URL, and the POST itself."""

import json
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Self

import aiohttp
from yarl import URL

from broker_setup.errors import XQueueError
from broker_setup.messages import Result
from broker_setup.settings import BasicAuth
from callback_relay.quoting import quoted
from callback_relay.verdict import Answered, NoAnswer

# The LMS's reply means nothing beyond its status; this much of it is read so that the connection can be used again.
REPLY_CAP = 64 * 1024

# A longer form is sent piece by piece, so that other callbacks get their turn meanwhile.
ONE_PIECE = 256 * 1024


class BadCallbackError(XQueueError):
    """The LMS's header names no URL that a result could be posted to."""


@dataclass(frozen=True)
class Callback:
    """One POST: the form's two fields, byte for byte, and where they go."""

    url: URL
    header: bytes
    body: bytes

    @property
    def origin(self) -> str:
        """The LMS as scheme://host:port: no path, no user, no password."""
        return str(self.url.origin())

    def form(self) -> bytes:
        """Encode the two fields as application/x-www-form-urlencoded."""
        return b"xqueue_header=" + quoted(self.header) + b"&xqueue_body=" + quoted(self.body)


def callback_for(result: Result, lms_header: str) -> Callback:
    """Make the callback that takes `result` to the LMS; raise BadCallbackError if `lms_header` names no http(s) URL."""
    try:
        header = json.loads(lms_header)
    except (ValueError, RecursionError) as error:
        raise BadCallbackError("the LMS's header is not JSON") from error
    given = header.get("lms_callback_url") if isinstance(header, dict) else None
    if not isinstance(given, str):
        raise BadCallbackError("the LMS's header has no lms_callback_url")
    try:
        url = URL(given, encoded=_is_plain(given))
        usable = url.scheme in {"http", "https"} and bool(url.host)
        # A header that came in as bytes which are no UTF-8 leaves as the same bytes.
        raw_header = lms_header.encode(errors="surrogateescape")
    except ValueError as error:
        raise BadCallbackError("the LMS's callback URL can't be read") from error
    if not usable:
        raise BadCallbackError("the LMS's callback URL is not an http or https URL")
    return Callback(url, raw_header, result.body)


def _is_plain(url: str) -> bool:
    """Tell whether `url` can go on the wire as it is; quoting it anew could change it (%2F to a slash)."""
    url.encode()  # half a surrogate pair is no character: let that be an error
    return url.isascii() and url.isprintable() and " " not in url


class Poster:
    """Posts callbacks over one pool of connections; open it with `async with`."""

    def __init__(self, *, timeout: float, concurrency: int, basic_auth: BasicAuth | None) -> None:
        """Give each callback `timeout` seconds in all, with at most `concurrency` connections."""
        self._timeout = timeout
        self._concurrency = concurrency
        self._headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "xqueue"}
        self._authorization = (
            {"Authorization": aiohttp.encode_basic_auth(basic_auth[0], basic_auth[1].get_secret_value())}
            if basic_auth
            else {}
        )

    async def __aenter__(self) -> Self:
        """Open the pool."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=self._timeout),
            headers=self._headers,
            auto_decompress=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the pool."""
        await self._session.close()

    async def post(self, callback: Callback) -> Answered | NoAnswer:
        """Post `callback` once; never raise for what the LMS or the network does."""
        form = callback.form()
        # A URL that carries user and password means those.
        headers = self._authorization if callback.url.raw_user is None else {}
        try:
            async with self._session.post(
                callback.url,
                data=form if len(form) <= ONE_PIECE else BytesIO(form),
                headers=headers,
                allow_redirects=False,
            ) as response:
                # The status is the answer, whatever becomes of the rest.
                with suppress(aiohttp.ClientError, OSError, TimeoutError):
                    await _skim(response.content)
                return Answered(response.status)
        except TimeoutError:
            return NoAnswer(f"no answer within {self._timeout:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return NoAnswer(_reason(error))


async def _skim(content: aiohttp.StreamReader) -> None:
    left = REPLY_CAP
    while left > 0 and (chunk := await content.read(left)):
        left -= len(chunk)


def _reason(error: Exception) -> str:
    """Say what went wrong without the library's text, which may quote the URL with its secrets, or the reply."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "the certificate is not trusted"
        case aiohttp.ClientConnectorDNSError():
            return "the host name is unknown"
        case aiohttp.ClientConnectorError():
            return f"no connection: {error.os_error.strerror or type(error.os_error).__name__}"
        case aiohttp.ServerDisconnectedError():
            return "the connection was closed before an answer"
        case aiohttp.InvalidURL():
            return "the URL can't be used"
        case _:
            return f"the callback failed: {type(error).__name__}"
