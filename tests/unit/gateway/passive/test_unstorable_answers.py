"""An answer of a called grader that can't be stored for no known reason: its submission is parked, and graded once."""

import json
from unittest.mock import Mock

import pytest

from broker_setup.amqp.messages import Arrival
from broker_setup.link import settling
from broker_setup.wire.parked import PARKED_REASON_HEADER
from broker_setup.wire.return_address import ReturnAddress
from broker_setup.wire.submissions import Submission, encode_submission
from gateway.passive.ends import Publish
from gateway.passive.served_queue import ServedQueue
from tests.support.leasing import QUEUE, Scene
from tests.support.ledger_events import URL, uuid_of


async def test_an_answer_that_can_not_be_stored_parks_its_submission_and_has_it_graded_no_second_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settling, "PAUSE_SECONDS", 0.0)
    scene, asked = Scene(), []
    queue = ServedQueue(
        QUEUE,
        link=Mock(),
        grader=Mock(),
        at_once=1,
        retry_delays=(),
        sealer=scene.sealer,
        checker=Mock(),
        validates=False,
        answers=Mock(),
        parking=scene.parking,
        metrics=Mock(),
    )
    uuid = uuid_of(1).hex()
    sealed = scene.sealer.seal(ReturnAddress(uuid, json.dumps({"lms_callback_url": URL, "queue_name": QUEUE})))
    sent = encode_submission(Submission(uuid, QUEUE, "work", sealed))
    held = Arrival(
        body=sent.body, correlation_id=uuid, headers=dict(sent.headers), channel=scene.channel, delivery_tag=1
    )

    async def fail() -> None:
        asked.append(1)
        raise RuntimeError("nobody foresaw that")

    await queue._settle(held, Publish(fail))
    assert len(asked) == settling.TRIES_DESPITE_MISTAKES
    assert scene.channel.sent == [("ack", 1)]
    [copy] = scene.publisher.parked
    assert copy.headers[PARKED_REASON_HEADER] == "its result could not be stored: unexpected error: RuntimeError"
