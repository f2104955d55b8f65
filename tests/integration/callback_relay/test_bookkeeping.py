"""What XQueue keeps on a result counts only where XQueue has written it: graders' headers change nothing."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.ledger import notes
from broker_setup.ledger.events import Delivered, Graded
from broker_setup.link.broker_url import user_of
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED
from broker_setup.wire.properties import BOOKKEEPING_HEADERS, RETURN_HEADER
from broker_setup.wire.return_address import ReturnAddress
from broker_setup.wire.submissions import Submission, encode_submission
from tests.support.broker import VHost
from tests.support.ledger import follower
from tests.support.lms import FakeLMS
from tests.support.relay import REPLY, Results, running_relay


async def test_a_result_that_echoes_all_headers_of_its_submission_settles_it_and_is_tried_for_the_first_time(
    vhost: VHost, settings: Settings, results: Results, lms: FakeLMS
) -> None:
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
    submission = encode_submission(Submission(uuid, "openedx", "work", sealed, attempt=5, redriven=3))
    async with running_relay(settings), follower(vhost.amqp_url) as ledger:
        await results.put_message(Message(REPLY, correlation_id=uuid, headers=submission.headers))
        await lms.wait_accepted(1)
        async with asyncio.timeout(60):
            while not [event for event in ledger.events if isinstance(event, Delivered)]:
                await ledger.catch_up()
    [graded] = [event for event in ledger.events if isinstance(event, Graded)]
    assert graded.submission.hex() == uuid
    [delivered] = [event for event in ledger.events if isinstance(event, Delivered)]
    assert delivered.attempts == 1


async def test_an_amqp_graders_result_is_in_the_ledger_before_it_is_let_go_though_notes_wait(
    vhost: VHost, settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is only noted stays in the relay's memory for so long: killed, it would be lost.
    monkeypatch.setattr(notes, "LINGER_SECONDS", 3600)
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
    async with running_relay(settings), follower(vhost.amqp_url) as ledger:
        await results.put_message(Message(REPLY, correlation_id=uuid, headers={RETURN_HEADER: sealed}))
        await lms.wait_accepted(1)
        async with asyncio.timeout(60):
            while not [event for event in ledger.events if isinstance(event, Graded)]:
                await ledger.catch_up()
    assert [event.submission.hex() for event in ledger.events if isinstance(event, Graded)] == [uuid]


async def test_what_a_grader_writes_there_neither_parks_a_result_nor_hides_it_from_the_ledger(
    vhost: VHost, settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(503)
    grader = user_of(settings.amqp_url.get_secret_value())
    assert grader
    of_a_grader = settings.model_copy(update={"amqp_graders": {grader: ("openedx",)}})
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
    # Failing since 1970, refused once, in the ledger already.
    headers: dict[str, Any] = dict.fromkeys(BOOKKEEPING_HEADERS, 1) | {RETURN_HEADER: sealed}
    async with running_relay(of_a_grader), follower(vhost.amqp_url) as ledger:
        await results.put_message(Message(REPLY, correlation_id=uuid, headers=headers, user_id=grader))
        await lms.wait_accepted(1)
        async with asyncio.timeout(60):
            while not [event for event in ledger.events if isinstance(event, Graded)]:
                await ledger.catch_up()
    assert await results.waiting(RESULTS_PARKED) == 0


async def test_what_a_grader_writes_there_is_not_parked_with_its_result(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    grader = user_of(settings.amqp_url.get_secret_value())
    assert grader
    of_a_grader = settings.model_copy(update={"amqp_graders": {grader: ("matlab",)}})
    uuid = uuid4().hex
    sealed = results.sealer.seal(ReturnAddress(uuid, lms.header()))
    headers: dict[str, Any] = dict.fromkeys(BOOKKEEPING_HEADERS, 1) | {RETURN_HEADER: sealed, "mine": "kept"}
    async with running_relay(of_a_grader):
        await results.put_message(Message(REPLY, correlation_id=uuid, headers=headers, user_id=grader))
        parked = await results.parked()
    assert parked.headers["mine"] == "kept"
    assert not BOOKKEEPING_HEADERS & parked.headers.keys()
