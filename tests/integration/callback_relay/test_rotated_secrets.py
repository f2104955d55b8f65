"""A SECRET_KEY changed in the wrong order: results that a relay can't open wait for one that can, and none is lost."""

import asyncio
from uuid import uuid4

import pytest
from pydantic import SecretStr

from broker_setup.link.broker_url import user_of
from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED, retry_queue
from broker_setup.wire.parked import PARKED_REASON_HEADER
from broker_setup.wire.properties import RETURN_HEADER
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from callback_relay import incoming
from callback_relay.floods import MOST_UNOPENED_BYTES
from tests.support.lms import FakeLMS
from tests.support.relay import REPLY, SECRET, Results, running_relay
from tests.support.waiting import eventually

NEW_SECRET = "another secret of the tests, long enough for a key"


def rotated(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"secret_key": SecretStr(NEW_SECRET), "secret_key_fallbacks": (SecretStr(SECRET),)}
    )


async def test_a_result_sealed_under_a_newer_secret_waits_until_a_relay_knows_that_and_is_then_delivered_once(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    uuid = uuid4().hex
    sealed = Sealer([NEW_SECRET]).seal(ReturnAddress(uuid, lms.header()))
    async with running_relay(settings):
        await results.put(lms.header(), sealed=sealed, submission=uuid)
        await results.put(lms.header("another's key"))
        await lms.wait_accepted(1)
    assert await results.waiting(RESULTS_PARKED) == 0
    async with running_relay(rotated(settings)):
        await lms.wait_accepted(2)
        await results.rest(settings)
    assert await results.waiting(RESULTS_PARKED) == 0
    assert len(lms.accepted) == 2


@pytest.mark.parametrize("bound", ["UNOPENED_AT_ONCE", "MOST_UNOPENED"])
async def test_of_a_flood_that_names_an_unknown_secret_only_so_much_goes_over_the_rungs(
    settings: Settings, results: Results, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(incoming, bound, 5)
    monkeypatch.setattr(incoming, "UNOPENED_EACH_SECOND", 0.0)
    grader = user_of(settings.amqp_url.get_secret_value())
    assert grader
    of_a_grader = settings.model_copy(update={"amqp_graders": {grader: ("openedx",)}, "retry_delays": (600.0,)})
    await asyncio.to_thread(declare, settings.amqp_url.get_secret_value(), of_a_grader.topology)
    uuid = uuid4().hex
    for _ in range(8):
        message = encode_result(Result(uuid, REPLY, Sealer([NEW_SECRET]).seal(ReturnAddress(uuid, "{}"))))
        message.user_id = grader
        await results.put_message(message)
    async with running_relay(of_a_grader):
        turned_away = [await results.parked() for _ in range(3)]
        await eventually(lambda: is_waiting(results, retry_queue(600.0), 5))
    assert not any(PARKED_REASON_HEADER in each.headers for each in turned_away)


@pytest.mark.parametrize(
    ("names_a_user", "size", "why"),
    [(False, 0, "it names no user"), (True, MOST_UNOPENED_BYTES + 1, "not known here")],
    ids=["nobody's", "large"],
)
async def test_what_nobody_sent_and_what_is_large_waits_on_no_rung_for_its_secret(
    settings: Settings, results: Results, *, names_a_user: bool, size: int, why: str
) -> None:
    grader = user_of(settings.amqp_url.get_secret_value())
    assert grader
    of_a_grader = settings.model_copy(update={"amqp_graders": {grader: ("openedx",)}})
    uuid = uuid4().hex
    message = encode_result(Result(uuid, REPLY.ljust(size), Sealer([NEW_SECRET]).seal(ReturnAddress(uuid, "{}"))))
    message.user_id = grader if names_a_user else None
    async with running_relay(of_a_grader):
        await results.put_message(message)
        parked = await results.parked()
    assert why in str(parked.headers[PARKED_REASON_HEADER])


async def is_waiting(results: Results, queue: str, number: int) -> bool:
    return await results.waiting(queue) == number


async def test_waiting_for_the_secret_gives_nobody_the_right_to_answer_a_queue(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    grader = user_of(settings.amqp_url.get_secret_value())
    assert grader
    uuid = uuid4().hex
    sealed = Sealer([NEW_SECRET]).seal(ReturnAddress(uuid, lms.header()))
    of_another_queue = settings.model_copy(update={"amqp_graders": {grader: ("another",)}})
    message = encode_result(Result(uuid, REPLY, sealed))
    message.user_id = grader
    assert message.headers[RETURN_HEADER] == sealed
    async with running_relay(of_another_queue, until_idle=False):
        await results.put_message(message)
        waits_on = [retry_queue(delay) for delay in settings.retry_delays]
        async with asyncio.timeout(60):
            while not sum([await results.waiting(rung) for rung in waits_on]):
                await asyncio.sleep(0.02)
    async with running_relay(rotated(of_another_queue)):
        parked = await results.parked()
    assert "may not answer" in str(parked.headers["xqueue-parked-reason"])
    assert lms.accepted == []
