"""Who called a moment ago is remembered, in bounded memory, and never longer than what was found out is true."""

import asyncio
import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.requests import Request

from gateway.callers import throttle
from gateway.callers.access import Access, Caller
from gateway.callers.accounts import GUESSES_OF_ACCOUNT, SESSION_SECONDS, Accounts, Session
from gateway.callers.door import Door, NotLoggedInError
from gateway.callers.lost_callers import LostCallers
from gateway.callers.remembered_callers import (
    LONGEST_HEADERS,
    MAX_REMEMBERED,
    REMEMBERED_SECONDS,
    Known,
    RememberedCallers,
)
from gateway.callers.sessions import Sessions
from gateway.callers.throttle import TooManyGuessesError
from tests.support.clock import Clock

USERS = {"lms": "short", "grader": "0123456789abcdef-a-long-one"}
HERE, THERE = "192.0.2.1", "192.0.2.2"
LMS = Known(Caller("lms"), None)


class Gate:
    """A door that counts how often it had to find out who calls."""

    def __init__(self, clock: Clock, remembered: RememberedCallers | None = None) -> None:
        self.accounts = Accounts({name: SecretStr(word) for name, word in USERS.items()}, ["0" * 32], clock)
        self.door = Door(
            self.accounts, None, Access({}), sessions=Sessions(self.accounts, None), lost_callers=LostCallers()
        )
        self.door._remembered = remembered or RememberedCallers(clock)
        self.found_out = 0
        door: Any = self.door
        find_out = door._of_session_or_password

        async def counted(*arguments: Any) -> Any:
            self.found_out += 1
            return await find_out(*arguments)

        door._of_session_or_password = counted

    async def call(self, *headers: tuple[str, str], address: str = HERE) -> str:
        """Say whom the door lets in, or by what name it sends away."""
        request = asked(*headers, address=address)
        try:
            await self.door.admit(request, "get_submission")
        except (NotLoggedInError, TooManyGuessesError) as error:
            return type(error).__name__
        return str(request.state.caller)


class NeverRemembering(RememberedCallers):
    def digest_of(self, request: Request) -> None:
        return None


def asked(*headers: tuple[str, str], address: str = HERE) -> Request:
    raw = [(name.encode(), value.encode()) for name, value in headers]
    return Request({"type": "http", "headers": raw, "query_string": b"", "client": (address, 1)})


def basic(password: str, name: str = "lms") -> tuple[str, str]:
    return "authorization", "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def cookie(value: str) -> tuple[str, str]:
    return "cookie", f"other=1; sessionid={value}"


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(clock)


async def test_who_comes_again_within_seconds_is_let_in_without_a_look(gate: Gate, clock: Clock) -> None:
    session = cookie(gate.accounts.new_session("grader"))
    for _ in range(3):
        assert await gate.call(basic("short")) == "lms"
        assert await gate.call(session) == "grader"
    assert gate.found_out == 2
    clock.now += REMEMBERED_SECONDS
    assert await gate.call(basic("short")) == "lms"
    assert gate.found_out == 3


async def test_what_is_wrong_is_looked_at_each_time_also_beside_what_is_right(gate: Gate) -> None:
    assert await gate.call(basic("short")) == "lms"
    for number, wrong in enumerate([basic("shorter"), basic("short", "grader"), cookie("short"), ("x", "short")] * 2):
        assert await gate.call(wrong) == "NotLoggedInError"
        assert gate.found_out == number + 2
    assert await gate.call(("cookie", basic("short")[1])) == "NotLoggedInError"


async def test_a_caller_is_remembered_at_its_address_alone(gate: Gate) -> None:
    assert await gate.call(basic("short")) == "lms"
    assert await gate.call(basic("short"), address=THERE) == "lms"
    assert gate.found_out == 2


async def test_guesses_throttle_one_who_is_remembered_like_anybody(gate: Gate) -> None:
    assert await gate.call(basic("short")) == "lms"
    for number in range(GUESSES_OF_ACCOUNT):
        assert await gate.call(basic(f"guess {number}")) == "NotLoggedInError"
    assert await gate.call(basic("short")) == "TooManyGuessesError"


async def test_a_session_that_was_ended_is_over_at_once_however_its_cookie_is_spelled(gate: Gate) -> None:
    value = gate.accounts.new_session("lms")
    quoted, bare = cookie(f'"{value}"'), cookie(value)
    assert [await gate.call(quoted), await gate.call(bare)] == ["lms", "lms"]
    gate.accounts.end_session(value)
    assert [await gate.call(quoted), await gate.call(bare)] == ["NotLoggedInError", "NotLoggedInError"]


async def test_a_session_is_remembered_no_longer_than_it_lasts(clock: Clock) -> None:
    remembered, digest = RememberedCallers(clock), b"digest"
    ending = Known(Caller("lms"), Session("lms", SESSION_SECONDS - 1, b"name"))
    remembered.remember(digest, ending, 0)
    assert remembered.of(digest, 0) == ending
    clock.now += 1
    assert remembered.of(digest, 0) is None


@pytest.mark.parametrize("attack", ["passwords beside a session", "cookies", "addresses"])
async def test_no_flood_makes_more_be_remembered_than_is_said(gate: Gate, attack: str) -> None:
    value = gate.accounts.new_session("lms")
    for number in range(2 * MAX_REMEMBERED):
        match attack:
            case "passwords beside a session":
                outcome = await gate.call(cookie(value), basic(f"of a gate {number}"))
            case "cookies":
                outcome = await gate.call(("cookie", f"n={number}; sessionid={value}"))
            case _:
                outcome = await gate.call(cookie(value), address=f"2001:db8::{number:x}")
        assert outcome == "lms"
    assert len(gate.door._remembered._known) == MAX_REMEMBERED
    # Digests, not what was sent: no password is in there.
    assert {len(digest) for digest in gate.door._remembered._known} == {16}
    assert {known.caller.name for _, known in gate.door._remembered._known.values()} == {"lms"}


async def test_headers_without_an_end_are_not_remembered(gate: Gate) -> None:
    long = cookie(gate.accounts.new_session("lms")), ("cookie", "x" * LONGEST_HEADERS)
    for number in range(2):
        assert await gate.call(*long) == "lms"
        assert gate.found_out == number + 1
    assert not gate.door._remembered._known


def test_what_changed_while_a_caller_was_looked_up_makes_it_void(clock: Clock) -> None:
    remembered = RememberedCallers(clock)
    remembered.of(b"digest", 0)
    remembered.of(b"another's", 1)
    remembered.remember(b"digest", LMS, 0)
    assert remembered.of(b"digest", 1) is None
    remembered.remember(b"digest", LMS, 1)
    assert remembered.of(b"digest", 1) == LMS
    assert remembered.of(b"digest", 2) is None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("right"), st.sampled_from(list(USERS)), st.sampled_from([HERE, THERE])),
        st.tuples(st.just("wrong"), st.integers(0, 12), st.sampled_from([HERE, THERE])),
        st.tuples(st.just("session"), st.integers(0, 1), st.sampled_from([HERE, THERE])),
        st.tuples(st.just("logout"), st.integers(0, 1), st.just("")),
        st.tuples(st.just("wait"), st.sampled_from([0.5, REMEMBERED_SECONDS, throttle.WINDOW_SECONDS]), st.just("")),
    ),
    max_size=60,
)


@given(STEPS)
@settings(deadline=None, max_examples=60)
def test_remembered_or_not_everybody_is_answered_the_same(steps: list[tuple[str, Any, str]]) -> None:
    clock = Clock()
    gates = Gate(clock), Gate(clock, NeverRemembering())
    cookies = [[gate.accounts.new_session(name) for gate in gates] for name in USERS]

    async def play() -> None:
        for what, which, address in steps:
            if what == "wait":
                clock.now += which
            elif what == "logout":
                for gate, value in zip(gates, cookies[which], strict=True):
                    gate.accounts.end_session(value)
            else:
                headers = _headers(what, which, cookies)
                outcomes = [
                    await gate.call(header, address=address) for gate, header in zip(gates, headers, strict=True)
                ]
                assert outcomes[0] == outcomes[1]

    asyncio.run(play())


def _headers(what: str, which: Any, cookies: list[list[str]]) -> list[tuple[str, str]]:
    match what:
        case "right":
            return [basic(USERS[which], which)] * 2
        case "wrong":
            return [basic(f"guess {which}")] * 2
    return [cookie(value) for value in cookies[which]]
