"""Whom the door lets in, what it tells them about their session, and what it does not count as a guess."""

import base64
from collections.abc import Mapping
from http.cookies import SimpleCookie
from time import time
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

import gateway.callers.accounts
from gateway.callers.access import Access
from gateway.callers.accounts import GUESSES_OF_ACCOUNT, SESSION_SECONDS, Accounts
from gateway.callers.door import Door, NotLoggedInError
from gateway.callers.lost_callers import LostCallers
from gateway.callers.origin import LONGEST_NAMES
from gateway.callers.sessions import RENEWED_AFTER_SECONDS, SESSION_COOKIE, Sessions
from gateway.callers.throttle import TooManyGuessesError
from gateway.http.guarded_calls import GuardedCalls
from gateway.http.refusals import ForeignPageError
from gateway.http.session_calls import SessionCalls
from tests.support.gateway import SECRET_KEY, USERS

DAY = 24 * 3600


class Gate:
    """Accounts, sessions and the door, as they are put together."""

    def __init__(self) -> None:
        self.accounts = Accounts({name: SecretStr(word) for name, word in USERS.items()}, [SECRET_KEY])
        sessions, lost = Sessions(self.accounts, None), LostCallers()
        door = Door(self.accounts, None, Access({}), sessions=sessions, lost_callers=lost)
        self.guard = GuardedCalls(door, sessions)
        self.calls = SessionCalls(self.accounts, sessions, lost, None)

    async def call(self, headers: Mapping[str, str]) -> Response:
        async def endpoint(request: Request) -> Response:
            return PlainTextResponse(request.state.caller)

        return await self.guard.guarded("get_submission", endpoint)(asked("GET", headers))

    async def login(self, **headers: str) -> Response:
        return await self.calls.login(asked("POST", headers, {"username": "lms", "password": USERS["lms"]}))


@pytest.fixture
def gate() -> Gate:
    return Gate()


def asked(method: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None) -> Request:
    raw = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": method,
        "path": "/xqueue/x/",
        "query_string": b"",
        "headers": [*raw, (b"host", b"xqueue.example:18040")] if "Host" not in headers else raw,
        "client": ("10.0.0.7", 1),
        "scheme": "http",
        "server": ("xqueue.example", 18040),
    }
    body = urlencode(form or {}).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    return Request(scope, receive)


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def cookie_of(answer: Response) -> str | None:
    morsel = SimpleCookie(answer.headers.get("set-cookie", "")).get(SESSION_COOKIE)
    if morsel is None:
        return None
    assert (morsel["httponly"], morsel["samesite"], morsel["max-age"]) == (True, "lax", str(SESSION_SECONDS))
    return f"{SESSION_COOKIE}={morsel.value}"


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    then = time() + seconds
    monkeypatch.setattr("time.time", lambda: then)
    monkeypatch.setattr(gateway.callers.accounts, "time", lambda: then)


async def test_a_session_that_is_used_goes_on_for_ever(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = cookie_of(await gate.login())
    for day in (10, 20, 30, 40):
        with monkeypatch.context() as patch:
            later(patch, day * DAY)
            assert cookie
            answer = await gate.call({"Cookie": cookie})
            assert answer.body == b"lms"
            cookie = cookie_of(answer)


async def test_a_session_that_nobody_uses_ends(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = cookie_of(await gate.login())
    assert cookie
    later(monkeypatch, SESSION_SECONDS + 60)
    with pytest.raises(NotLoggedInError):
        await gate.call({"Cookie": cookie})


async def test_a_fresh_session_gets_no_new_cookie(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = cookie_of(await gate.login())
    assert cookie
    later(monkeypatch, RENEWED_AFTER_SECONDS - 60)
    assert cookie_of(await gate.call({"Cookie": cookie})) is None


async def test_basic_auth_beside_a_session_is_never_a_guess(gate: Gate) -> None:
    cookie = cookie_of(await gate.login())
    assert cookie
    for number in range(3 * GUESSES_OF_ACCOUNT):
        headers = {"Cookie": cookie, "Authorization": basic("lms", f"of a gate {number}")}
        assert (await gate.call(headers)).body == b"lms"
    assert cookie_of(await gate.login())


async def test_basic_auth_without_a_session_still_counts(gate: Gate) -> None:
    for number in range(GUESSES_OF_ACCOUNT):
        with pytest.raises(NotLoggedInError):
            await gate.call({"Cookie": "sessionid=forged", "Authorization": basic("lms", f"guess {number}")})
    with pytest.raises(TooManyGuessesError):
        await gate.call({"Authorization": basic("lms", "one more")})


@pytest.mark.parametrize(
    "origin",
    [
        "http://xqueue.example:18040",
        "https://xqueue.example",
        "https://XQUEUE.example:443/path",
        "xqueue.example",
        "xqueue.example:18040",
    ],
)
async def test_a_login_that_says_that_it_comes_from_our_own_host_is_taken(gate: Gate, origin: str) -> None:
    assert cookie_of(await gate.login(Origin=origin))


async def test_a_login_through_a_proxy_that_renames_us_is_taken(gate: Gate) -> None:
    headers = {"Host": "gateway-7:18040", "X-Forwarded-Host": "xqueue.example", "Origin": "https://xqueue.example"}
    assert cookie_of(await gate.login(**headers))


async def test_of_a_header_with_thousands_of_names_only_the_first_are_looked_at(gate: Gate) -> None:
    names = ",".join(f"h{number}" for number in range(LONGEST_NAMES))
    assert len(names) > LONGEST_NAMES
    assert cookie_of(await gate.login(X_Forwarded_Host=names, Origin="https://h7"))
    with pytest.raises(ForeignPageError):
        await gate.login(X_Forwarded_Host=names, Origin=f"https://h{LONGEST_NAMES - 1}")


async def test_an_origin_that_is_longer_than_any_is_of_another_site(gate: Gate) -> None:
    with pytest.raises(ForeignPageError):
        await gate.login(Origin="https://xqueue.example/".ljust(LONGEST_NAMES + 1, "a"))


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "", "https://xqueue.example.evil.example", "http://["]
)
async def test_a_login_from_a_page_of_another_site_is_refused(gate: Gate, origin: str) -> None:
    with pytest.raises(ForeignPageError):
        await gate.login(Origin=origin)
