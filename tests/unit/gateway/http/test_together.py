"""What takes milliseconds for each of many who come together leaves all others their turns."""

import asyncio
from itertools import pairwise
from time import thread_time

from starlette.requests import Request

from broker_setup.process.beside import MIDDLING_BYTES, beside
from gateway.callers.sessions import session_cookie


async def test_many_of_middling_size_have_a_round_each() -> None:
    done: list[int] = []
    rounds: list[int] = []

    async def look() -> None:
        while True:
            rounds.append(len(done))
            await asyncio.sleep(0)

    looking = asyncio.create_task(look())
    await asyncio.gather(*(beside(MIDDLING_BYTES + 1, done.append, n) for n in range(50)))
    looking.cancel()
    assert len(done) == 50
    assert max(after - before for before, after in pairwise(rounds)) == 1


def asked_with(*cookies: bytes) -> Request:
    return Request({"type": "http", "headers": [(b"cookie", cookie) for cookie in cookies]})


def test_a_session_is_found_among_other_cookies() -> None:
    assert session_cookie(asked_with()) is None
    assert session_cookie(asked_with(b"csrftoken=a;b;c")) is None
    assert session_cookie(asked_with(b"csrftoken=a; sessionid=x.y-z_=; other=sessionid=no")) == "x.y-z_="
    # As Java's client sends it.
    assert session_cookie(asked_with(b'$Version="1"; sessionid="x.y-z_=";$Path="/"')) == "x.y-z_="
    assert session_cookie(asked_with(b"sessionid=first; sessionid=second", b"xsessionid=no")) == "second"


def test_a_cookie_of_backslashes_takes_no_time() -> None:
    asked = asked_with(b'sessionid="' + b"\\a" * 30_000 + b'"')
    began = thread_time()
    session_cookie(asked)
    assert thread_time() - began < 0.1  # it was 6 s


def test_a_flood_of_semicolons_or_of_other_cookies_hides_no_session() -> None:
    assert session_cookie(asked_with(b"sessionid=x.y;" + b";" * 30_000)) == "x.y"
    assert session_cookie(asked_with(b"sessionid=x.y; " + b"asessionid=z;" * 4_000)) == "x.y"
    assert session_cookie(asked_with(b"a=b;   sessionid=x.y ;c=d")) == "x.y"
