"""The student who waits for what is no submission: told before it is parked, and only where nobody was."""

from typing import Any

import pytest

from broker_setup.errors import BrokerUnavailableError, UnroutableError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Parked, hash_url
from broker_setup.link import settling
from broker_setup.wire.notices import failure_notice
from tests.support.leasing import FAILURE, Scene, turns
from tests.support.ledger_events import URL, graded, leased, parked, retired, uuid_of


async def test_the_student_of_an_unreadable_submission_is_told_before_it_is_let_go() -> None:
    scene = Scene()
    scene.publisher.in_time.clear()
    tag = scene.deliver(1, body=b"\xff my secret work")
    assert await scene.sent() == []
    assert scene.ledger.stored == []
    scene.publisher.in_time.set()
    await turns()
    assert scene.channel.sent == [("ack", tag)]
    assert [copy.body for copy in scene.publisher.parked] == [b"\xff my secret work"]
    [(uuid, body, amendment, sealed)] = scene.publisher.results
    assert (uuid, body, amendment) == (uuid_of(1).hex(), failure_notice(FAILURE), 0)
    assert isinstance(sealed, str)
    assert "lms_key" in scene.sealer.open(sealed, uuid_of(1).hex()).lms_header
    [event] = scene.ledger.stored
    assert isinstance(event, Parked)
    assert (event.submission, event.queue, event.url) == (uuid_of(1), "openedx", hash_url(URL))
    assert "not the JSON of a submission" in event.reason
    assert "secret" not in event.reason
    assert scene.ledger.state.standing(uuid_of(1), scene.now) is Standing.CLOSED


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), UnroutableError("no queue")])
async def test_a_submission_whose_student_can_not_be_told_goes_back_after_a_pause(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    scene = Scene()
    scene.publisher.error = error
    tag = scene.deliver(1, body=b"no JSON")
    await turns(10)
    assert scene.channel.sent == [("requeue", tag)]
    assert scene.ledger.stored == []
    scene.publisher.error = None
    again = scene.deliver(1, body=b"no JSON")
    await turns(10)
    assert scene.channel.sent == [("requeue", tag), ("ack", again)]
    assert len(scene.publisher.results) == len(scene.publisher.parked) == 1


@pytest.mark.parametrize(
    "happened",
    [
        leased(1, 999, "key", until=2_000),
        graded(1, 999, "key"),
        retired(1, 999),
        parked(1, 999),
    ],
)
async def test_nobody_is_told_of_an_unreadable_copy_of_what_is_graded_or_has_ended(happened: Any) -> None:
    scene = Scene()
    scene.ledger.happens(happened)
    tag = scene.deliver(1, body=b"no JSON")
    await turns()
    assert scene.channel.sent == [("ack", tag)]
    assert scene.publisher.results == []
    assert len(scene.publisher.parked) == 1
    assert scene.ledger.stored == []


@pytest.mark.parametrize(
    "spoilt",
    [
        {"correlation_id": None},
        {"correlation_id": uuid_of(2).hex()},
        {"headers": {}},
        {"headers": {"xqueue-return": "forged"}},
        {"headers": {"xqueue-return": "fôrged"}},
        {"headers": {"xqueue-return": 7}},
    ],
    ids=str,
)
async def test_where_the_return_address_does_not_open_nobody_can_be_told(spoilt: dict[str, Any]) -> None:
    scene = Scene()
    tag = scene.deliver(1, **({"body": b"no JSON"} | spoilt))
    await turns()
    assert scene.channel.sent == [("ack", tag)]
    assert scene.publisher.results == []
    assert len(scene.publisher.parked) == 1
    assert scene.ledger.stored == []
