"""A session at an upstream: logs in as a watcher does, once for all who ask, and again when the session has ended."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import SimpleCookie
from time import monotonic
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from broker_setup.outbound.own_services import USER_AGENT
from broker_setup.upstream.dialect import Said, UpstreamError, is_done, is_logged_out

# After a login that was refused: an LMS locks accounts out that try too often.
LOGIN_PAUSE_SECONDS = 30.0
# Of what an upstream would have us send again with each request.
MOST_COOKIES, MOST_COOKIE = 20, 4096
TOKEN_COOKIE = "csrftoken"  # noqa: S105 - a name
_PIECE = 64 * 1024
_HEADERS = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "identity"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_REFUSALS = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class LoginRefusedError(UpstreamError):
    """The upstream does not let the account in; nobody asks again before a while."""


class _NoLoginError(Exception):
    """There was no login, for a reason that says nothing of the account: an upstream that is away, say."""

    def __init__(self, said: Said) -> None:
        super().__init__()
        self.said = said


@dataclass(frozen=True)
class Account:
    """Where an upstream is, and as whom we come."""

    url: URL
    user: str
    password: str


class UpstreamSession:
    """Asks one upstream over `client`, which must follow no redirects, keep no cookies and unpack nothing."""

    def __init__(
        self, account: Account, client: aiohttp.ClientSession, *, seconds: float, most: int, headers: Mapping[str, str]
    ) -> None:
        """Give each call `seconds` in all, and read the first `most` bytes of an answer.

        `headers` go with each request.
        """
        self._account = account
        self._client = client
        self._seconds = seconds
        self._most = most
        self._headers = {**_HEADERS, **headers, "Referer": f"{account.url}/"}
        self._cookies: Mapping[str, str] | None = None
        self._turn = asyncio.Lock()
        self._refused: tuple[float, str] | None = None

    @property
    def url(self) -> URL:
        """Where the upstream is."""
        return self._account.url

    async def get(self, call: str, query: Mapping[str, str]) -> Said:
        """Ask by GET; raise UpstreamError, TimeoutError, or an error of the library's or the system's."""
        return await self._ask("GET", call, query, None)

    async def post(self, call: str, form: bytes) -> Said:
        """Ask by POST, with an urlencoded form; raise as `get`."""
        return await self._ask("POST", call, {}, form)

    async def _ask(self, method: str, call: str, query: Mapping[str, str], form: bytes | None) -> Said:
        async with asyncio.timeout(self._seconds):
            try:
                cookies = await self._logged_in()
                said, _ = await self._send(method, call, cookies, query, form)
                if not is_logged_out(said):
                    return said
                # Of all who meet the same session's end, one logs in.
                if self._cookies is cookies:
                    self._cookies = None
                said, _ = await self._send(method, call, await self._logged_in(), query, form)
            except _NoLoginError as error:
                return error.said
        if is_logged_out(said):
            raise self._refuse(f"{self._account.user!r} may do nothing there: answered {said.status}")
        return said

    async def _logged_in(self) -> Mapping[str, str]:
        async with self._turn:
            if self._cookies is None:
                if self._refused and monotonic() < self._refused[0]:
                    raise LoginRefusedError(self._refused[1])
                self._cookies = await self._log_in()
            return self._cookies

    async def _log_in(self) -> Mapping[str, str]:
        said, cookies = await self._send("GET", "login/", {}, {}, None)
        if is_done(said):
            account = {"username": self._account.user, "password": self._account.password}
            said, new = await self._send("POST", "login/", cookies, {}, urlencode(account).encode())
            if is_done(said):
                self._refused = None
                return {**cookies, **new}
        if said.status in _REFUSALS:
            raise self._refuse(f"the login as {self._account.user!r} was answered {said.status}")
        raise _NoLoginError(said)

    def _refuse(self, why: str) -> LoginRefusedError:
        self._cookies = None
        self._refused = monotonic() + LOGIN_PAUSE_SECONDS, why
        return LoginRefusedError(why)

    async def _send(
        self,
        method: str,
        call: str,
        cookies: Mapping[str, str],
        query: Mapping[str, str],
        form: bytes | None,
    ) -> tuple[Said, Mapping[str, str]]:
        """Send one request; return the answer, and the cookies that came with it."""
        headers = self._headers | (_FORM if form is not None else {})
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if token := cookies.get(TOKEN_COOKIE):
            headers["X-CSRFToken"] = token
        url = (self._account.url / call).with_query(query)
        async with self._client.request(method, url, headers=headers, data=form, allow_redirects=False) as answer:
            body = bytearray()
            while (left := self._most - len(body)) > 0 and (piece := await answer.content.read(min(left, _PIECE))):
                body += piece
            return Said(answer.status, answer.headers, bytes(body)), _kept(answer.cookies)


def _kept(cookies: SimpleCookie) -> Mapping[str, str]:
    kept = {name: morsel.coded_value for name, morsel in cookies.items() if len(morsel.coded_value) <= MOST_COOKIE}
    return dict(list(kept.items())[:MOST_COOKIES])
