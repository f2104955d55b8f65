"""Whatever an LMS answers, and however slowly: an outcome in time, little memory, little read."""

import tracemalloc
import zlib
from dataclasses import dataclass
from time import monotonic

import pytest
from yarl import URL

from broker_setup.settings import Settings
from callback_relay.callback import Callback
from callback_relay.outcome import Answered, NoAnswer
from callback_relay.poster import poster_for
from callback_relay.reason import Reason, Slug
from tests.support.hostile import hostile_lms

TIMEOUT = 1.0
MOST_MEMORY = 8_000_000
# Beside what we read, this much fits into the sockets of both sides.
MOST_SENT = 20_000_000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MUCH = bytes(65536)
BOMB = zlib.compress(bytes(50_000_000), 9)


def head(length: int, *lines: bytes) -> bytes:
    return OK + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: %d\r\n\r\n" % length


@dataclass(frozen=True)
class Hostile:
    """What is sent at first and then without an end, and whether its status counts (None: as the pieces fall)."""

    first: bytes
    then: bytes = b""
    pause: float = 0.0
    counts: bool | None = True


ANSWERS = {
    "a body of a terabyte": Hostile(head(10**12), MUCH),
    "a body without an end": Hostile(OK + b"\r\n", MUCH),
    "chunks without an end": Hostile(CHUNKED, b"10000\r\n" + MUCH + b"\r\n"),
    "one chunk of an exabyte": Hostile(CHUNKED + b"fffffffffffffff\r\n", MUCH),
    "a slow body": Hostile(head(10**6), b"x", pause=0.02),
    "a body that does not come": Hostile(head(10)),
    "a packed terabyte": Hostile(head(10**12, b"Content-Encoding: deflate"), BOMB),
    "a broken pack": Hostile(head(5, b"Content-Encoding: gzip") + b"xxxxx"),
    "trailers without an end": Hostile(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000, counts=None),
    "an extension without an end": Hostile(CHUNKED + b"5;", b"x" * 60000),
    "tiny chunks without an end": Hostile(CHUNKED, b"1\r\nx\r\n" * 10_000),
    "a second answer behind the first": Hostile(head(0) + head(0) + b"HTTP/1.1 500 No\r\n\r\n"),
    "nothing": Hostile(b"", counts=False),
    "slow headers": Hostile(OK, b"x", pause=0.02, counts=False),
    "headers without an end": Hostile(OK, b"X: y\r\n" * 1000, counts=False),
    "slow headers without an end": Hostile(OK, b"X: y\r\n", pause=0.002, counts=False),
    "one header without an end": Hostile(OK + b"X: ", b"x" * 60000, counts=False),
    "a name of a header without an end": Hostile(OK, b"x" * 60000, counts=False),
    "a status line without an end": Hostile(b"HTTP/1.1 200 ", b"x" * 60000, counts=False),
    "promises without an end": Hostile(b"", b"HTTP/1.1 102 Soon\r\n\r\n" * 500, counts=False),
    "slow promises": Hostile(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02, counts=False),
    "no HTTP": Hostile(b"220 ready to take mail\r\n" * 9, counts=False),
    "HTTP of another time": Hostile(b"<html>200 OK</html>\r\n\r\n", counts=False),
    "a length below nothing": Hostile(OK + b"Content-Length: -1\r\n\r\n", counts=False),
    "two lengths": Hostile(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx", counts=False),
    "NUL": Hostile(b"", MUCH, counts=False),
}


@pytest.mark.parametrize("what", ANSWERS)
async def test_it_ends_in_time_with_little_memory(what: str) -> None:
    answer = ANSWERS[what]
    settings = Settings(requests_timeout=TIMEOUT)
    async with hostile_lms(answer.first, answer.then, answer.pause) as lms, poster_for(settings) as poster:
        tracemalloc.start()
        began = monotonic()
        try:
            outcome = await poster.post(Callback(URL(lms.url), b"{}", b"reply"))
            took = monotonic() - began
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    if answer.counts is not False and isinstance(outcome, Answered):
        assert outcome == Answered(200)
    else:
        assert isinstance(outcome, NoAnswer)
        assert not answer.counts
    assert took < TIMEOUT + 5  # none of them ends by itself
    assert peak < MOST_MEMORY
    assert lms.sent < MOST_SENT


async def test_a_flood_of_promises_ends_by_itself_and_long_before_the_time_for_an_answer_is_over() -> None:
    flood = ANSWERS["promises without an end"]
    async with hostile_lms(flood.first, flood.then) as lms, poster_for(Settings(requests_timeout=300.0)) as poster:
        outcome = await poster.post(Callback(URL(lms.url), b"{}", b"reply"))
    assert outcome == NoAnswer(Reason(Slug.OTHER, "the answer is no HTTP that can be read"))


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_says_where_it_leads_and_no_more(status: int) -> None:
    answer = b"HTTP/1.1 %d Away\r\nContent-Length: 0\r\nLocation: https://lms.example/score_update?t=secret\r\n\r\n"
    async with hostile_lms(answer % status) as lms, poster_for(Settings(requests_timeout=TIMEOUT)) as poster:
        outcome = await poster.post(Callback(URL(lms.url), b"{}", b""))
    assert outcome == Answered(status, location="https://lms.example/...")


@pytest.mark.parametrize("body", [b"<html>maintenance</html>", b"", b"ok"])
async def test_a_page_is_told_from_an_empty_answer(body: bytes) -> None:
    answer = head(len(body), b"Content-Type: text/html; charset=utf-8") + body
    async with hostile_lms(answer) as lms, poster_for(Settings(requests_timeout=TIMEOUT)) as poster:
        assert await poster.post(Callback(URL(lms.url), b"{}", b"")) == Answered(200, is_page=b"<html>" in body)


@pytest.mark.parametrize(
    ("line", "seconds"),
    [(b"Retry-After: 7", 7), (b"Retry-After: Mon, 01 Jan 1990 00:00:00 GMT", 0), (b"Retry-After: soon", None)],
)
async def test_an_answer_says_when_to_come_again(line: bytes, seconds: float | None) -> None:
    answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n" + line + b"\r\n\r\n"
    async with hostile_lms(answer) as lms, poster_for(Settings(requests_timeout=TIMEOUT)) as poster:
        assert await poster.post(Callback(URL(lms.url), b"{}", b"")) == Answered(503, seconds)
