"""Replies that the LMS would drop are refused where they are handed in; the lease goes on as if nothing had come."""

import asyncio
import json
from collections.abc import Awaitable
from hashlib import blake2b
from typing import Any

import pytest

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import KEY_HASH_BYTES, Extended, Graded, Leased, hash_key, hash_url
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.return_address import ReturnAddress, Sealer
from gateway.leasing.reply_check import BadReplyError, ReplyCheck
from gateway.leasing.results import Results, WrongKeyError
from tests.support.leasing import DELAY, FakeLedger, FakePublisher, anywhere
from tests.support.ledger_events import URL, id_of, leased, released, uuid_of

START = 1_000.0
GOOD = b'{"correct": true, "score": 1, "msg": "Good"}'
BAD = b"Traceback: the student's secrets"
ELSEWHERE = "https://lms.example/hook"


def digest_of(body: bytes) -> bytes:
    return blake2b(body, digest_size=KEY_HASH_BYTES).digest()


class CountingSealer(Sealer):
    """Knows how often it was asked to open an address."""

    opened = 0

    def open(self, sealed: str, submission: str) -> ReturnAddress:
        self.opened += 1
        return super().open(sealed, submission)


class Desk:
    """Where results are handed in; submission 1 is leased under the key `key`, its callback URL is `url`."""

    def __init__(self, url: str = URL, *, checks: bool = True) -> None:
        self.now = START + 1
        self.ledger = FakeLedger()
        self.publisher = FakePublisher()
        self.sealer = CountingSealer(["0123456789abcdef" * 2])
        publisher: Any = self.publisher
        check = ReplyCheck(self.ledger.as_ledger, self.sealer, ReplyChecker(), again=5, clock=lambda: self.now)
        self.results = Results(
            self.ledger.as_ledger,
            publisher,
            check if checks else None,
            clock=lambda: self.now,
            steady=lambda: self.now,
        )
        header = json.dumps({"lms_callback_url": url, "lms_key": "k", "queue_name": "openedx"})
        sealed = self.sealer.seal(ReturnAddress(uuid_of(1).hex(), header))
        self.sealed, self.url = sealed, url
        self.lease("key", attempt=1)
        self.events_before = list(self.ledger.events)

    def lease(self, key: str, attempt: int) -> None:
        """Lease submission 1 to a grader, after the lease before it has run out."""
        at = self.now - 1 if attempt == 1 else self.now + DELAY
        self.now = at + 1
        url, until = hash_url(self.url), at + DELAY
        self.ledger.happens(Leased(at, uuid_of(1), "openedx", url, hash_key(key), until, self.sealed, attempt))

    def put(self, body: bytes, key: str = "key") -> Awaitable[None]:
        return self.results.take(id_of(1), key, body, anywhere, "watcher")

    async def refuse(self, body: bytes, key: str = "key") -> str:
        with pytest.raises(BadReplyError) as refused:
            await self.put(body, key)
        return str(refused.value)

    @property
    def attempts(self) -> int:
        lease = self.ledger.state.lease_of(uuid_of(1))
        assert lease
        return lease.attempt

    @property
    def standing(self) -> Standing:
        return self.ledger.state.standing(uuid_of(1), self.now)


async def test_a_bad_reply_is_refused_and_the_lease_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with pytest.raises(BadReplyError, match="it is not JSON"):
        await desk.put(BAD)
    assert desk.publisher.results == []
    until = START + DELAY
    event = Extended(desk.now, uuid_of(1), hash_key("key"), until, "it is not JSON", digest_of(BAD), 5)
    assert desk.ledger.events == [*desk.events_before, event]
    assert desk.standing is Standing.LEASED
    whose = f"submission {uuid_of(1).hex()}, queue openedx, grader 'watcher'"
    assert caplog.messages == [f"{whose}: its reply is refused: it is not JSON"]
    await desk.put(GOOD)
    assert desk.publisher.bodies == [(GOOD, 0)]
    assert isinstance(desk.ledger.events[-1], Graded)


async def test_a_bad_reply_to_another_kind_of_url_is_none_of_our_business() -> None:
    desk = Desk(ELSEWHERE)
    await desk.put(BAD)
    assert desk.publisher.bodies == [(BAD, 0)]


async def test_switched_off_nothing_is_looked_at() -> None:
    desk = Desk(checks=False)
    await desk.put(BAD)
    assert desk.publisher.bodies == [(BAD, 0)]
    assert desk.sealer.opened == 0


async def test_for_a_good_reply_no_seal_is_opened() -> None:
    desk = Desk()
    await desk.put(GOOD)
    assert desk.sealer.opened == 0


async def test_a_bad_amendment_is_refused_and_the_first_result_stays() -> None:
    desk = Desk()
    await desk.put(GOOD)
    with pytest.raises(BadReplyError):
        await desk.put(BAD)
    assert desk.publisher.bodies == [(GOOD, 0)]


async def test_a_late_bad_reply_is_refused_and_a_late_good_one_taken() -> None:
    desk = Desk()
    desk.now += DELAY
    with pytest.raises(BadReplyError):
        await desk.put(BAD)
    await desk.put(GOOD)
    assert desk.publisher.bodies == [(GOOD, 0)]


@pytest.mark.parametrize("key", ["other", "key"])
async def test_whose_result_it_is_comes_first(key: str) -> None:
    desk = Desk()
    if key == "key":
        desk.ledger.happens(released(1, desk.now, "key"))
    with pytest.raises(WrongKeyError):
        await desk.put(BAD, key)


async def test_a_result_whose_return_address_does_not_open_is_left_to_the_relay() -> None:
    desk = Desk()
    desk.ledger.happens(leased(2, START, "second", until=START + DELAY))
    await desk.results.take(id_of(2), "second", BAD, anywhere)
    assert desk.publisher.bodies == [(BAD, 0)]


async def test_a_reply_that_is_refused_in_a_second_lease_counts_as_several_attempts() -> None:
    desk = Desk()
    await desk.refuse(BAD)
    assert desk.attempts == 1
    for number, (leased_as, counted) in enumerate([(2, 6), (7, 11), (12, 16), (17, 21)]):
        desk.lease(f"key {number}", leased_as)
        assert desk.attempts == leased_as
        assert await desk.refuse(BAD, f"key {number}") == "it is not JSON"
        assert desk.attempts == counted, "with MAX_ATTEMPTS of 20 the fifth run is the last"


async def test_a_reply_that_is_sent_again_in_its_lease_counts_once_and_is_written_down_once() -> None:
    desk = Desk()
    for body in (BAD, BAD, b"another", BAD):
        await desk.refuse(body)
    desk.lease("second", 2)
    for _ in range(3):
        await desk.refuse(BAD, "second")
    assert desk.attempts == 6
    assert len(desk.ledger.noted) == 2


async def test_another_bad_reply_in_the_next_lease_is_one_attempt() -> None:
    desk = Desk()
    await desk.refuse(BAD)
    desk.lease("second", 2)
    await desk.refuse(b"another", "second")
    assert desk.attempts == 2
    desk.lease("third", 3)
    await desk.refuse(BAD, "third")
    assert desk.attempts == 3


async def test_the_amendment_of_what_is_settled_is_refused_without_a_word_in_the_ledger() -> None:
    desk = Desk()
    await desk.put(GOOD)
    await desk.refuse(BAD)
    assert desk.ledger.noted == []


async def test_a_reply_that_is_odd_is_taken_and_the_ledger_and_the_log_say_so(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    await desk.put(b'{"correct": "False", "score": 0, "msg": "No"}')
    event = desk.ledger.events[-1]
    assert isinstance(event, Graded)
    assert event.odd.startswith("its correct is text")
    assert "grader 'watcher': its reply is taken, but its correct is text" in caplog.text


async def test_a_large_reply_is_judged_beside_the_event_loop_and_then_seen_anew() -> None:
    desk = Desk()
    large = json.dumps({"correct": True, "score": 1, "msg": "x" * 200_000}).encode()
    putting = asyncio.ensure_future(desk.put(large))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not putting.done()
    # Meanwhile somebody else gets the submission: the reply comes too late.
    desk.lease("second", 2)
    with pytest.raises(WrongKeyError):
        await putting
    assert desk.publisher.bodies == []
    await desk.put(large, "second")
    assert desk.publisher.bodies == [(large, 0)]


async def test_a_reply_that_no_lms_takes_for_its_size_is_refused() -> None:
    desk = Desk()
    why = await desk.refuse(b" " * 3_000_000)
    assert why.startswith("it has 3000000 bytes, more than the 2621440")
