"""Replies that the LMS would drop are refused where they are handed in; the lease goes on as if nothing had come."""

import json
from collections.abc import Awaitable
from typing import Any

import pytest

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Graded, Leased, hash_key, hash_url
from broker_setup.wire.return_address import ReturnAddress, Sealer
from gateway.leasing.results import BadReplyError, Results, WrongKeyError
from tests.support.leasing import DELAY, FakeLedger, FakePublisher, anywhere
from tests.support.ledger_events import URL, id_of, leased, released, uuid_of

START = 1_000.0
GOOD = b'{"correct": true, "score": 1, "msg": "Good"}'
BAD = b"Traceback: the student's secrets"
ELSEWHERE = "https://lms.example/hook"


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
        sealer = self.sealer if checks else None
        self.results = Results(self.ledger.as_ledger, publisher, sealer, clock=lambda: self.now)
        header = json.dumps({"lms_callback_url": url, "lms_key": "k", "queue_name": "openedx"})
        sealed = self.sealer.seal(ReturnAddress(uuid_of(1).hex(), header))
        until = START + DELAY
        self.ledger.happens(Leased(START, uuid_of(1), "openedx", hash_url(url), hash_key("key"), until, sealed, 1))
        self.events_before = list(self.ledger.events)

    def put(self, body: bytes, key: str = "key") -> Awaitable[None]:
        return self.results.take(id_of(1), key, body, anywhere)

    @property
    def standing(self) -> Standing:
        return self.ledger.state.standing(uuid_of(1), self.now)


async def test_a_bad_reply_is_refused_and_the_lease_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()
    with pytest.raises(BadReplyError, match="it is not JSON"):
        await desk.put(BAD)
    assert desk.publisher.results == []
    assert desk.ledger.events == desk.events_before
    assert desk.ledger.noted == []
    assert desk.standing is Standing.LEASED
    assert caplog.messages == [f"submission {uuid_of(1).hex()}: its grader's reply is refused: it is not JSON"]
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
