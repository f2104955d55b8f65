"""All processes work under users of their own that may do no more than they need."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pika
import pytest

from broker_setup.settings import Settings
from broker_setup.topology import (
    CHECKED_QUEUE,
    RESULTS_EXCHANGE,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    SUBMISSIONS_EXCHANGE,
    SUBMISSIONS_PARKED,
    submissions_queue,
)
from broker_setup.wire.answering import may_answer
from broker_setup.wire.properties import RETURN_HEADER
from broker_setup.wire.return_address import Sealer
from tests.support.broker import VHost
from tests.support.broker_users import BrokerUsers, broker_users
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, Client, Gateway
from tests.support.lms import running_lms
from tests.support.operator import Operator
from tests.support.queues import ready
from tests.support.relay import relay_process
from tests.support.waiting import eventually

REPLY = '{"correct": true, "score": 1, "msg": "<p>ok</p>"}'


@pytest.fixture
def users(vhost: VHost) -> Iterator[BrokerUsers]:
    with broker_users(vhost, {"grader": ["other"]}, {"openedx": None, "other": None}) as made:
        yield made


def grade_over_amqp(url: str, user: str) -> None:
    """Take one submission of `other` and answer it, as an AMQP grader does; then publish a forged result."""
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        method, properties, _ = channel.basic_get(submissions_queue("other"))
        assert method is not None
        assert properties is not None
        for sealed in (properties.headers[RETURN_HEADER], "forged"):
            reply = pika.BasicProperties(
                correlation_id=properties.correlation_id,
                headers={RETURN_HEADER: sealed},
                user_id=user,
                delivery_mode=2,
            )
            channel.basic_publish(RESULTS_EXCHANGE, properties.reply_to, REPLY.encode(), reply, mandatory=True)
        channel.basic_ack(method.delivery_tag)


def who_may_not_answer(vhost: VHost, settings: Settings) -> list[str | None]:
    """Judge each waiting result as a relay would, and leave them where they are."""
    judged: list[str | None] = []
    sealer = Sealer([SECRET_KEY])
    with pika.BlockingConnection(pika.URLParameters(vhost.amqp_url)) as connection:
        channel = connection.channel()
        while True:
            for each in (RESULTS_QUEUE, CHECKED_QUEUE):
                method, properties, _ = channel.basic_get(each)
                if method is not None:
                    break
            if method is None or properties is None:
                return judged
            sealed = properties.headers[RETURN_HEADER]
            queue = "other"
            if sealed != "forged":
                queue = sealer.open(sealed, properties.correlation_id).queue
            judged.append(
                may_answer(properties.user_id, queue, graders=settings.amqp_graders, services=settings.services)
            )


async def one_in(vhost: VHost, queue: str) -> None:
    async def is_there() -> bool:
        return await ready(vhost.amqp_url, queue) == 1

    await eventually(is_there)


async def test_a_submission_goes_round_with_a_restart_a_retry_and_parking_and_nobody_has_a_right_too_few(
    vhost: VHost, users: BrokerUsers, tmp_path: Path
) -> None:
    rungs = {"RETRY_DELAYS": json.dumps(RETRY_DELAYS)}
    urls = await asyncio.to_thread(users.set_up, **rungs)
    of_users = {f"XQUEUE_{key}": value for key, value in users.settings.items() if key != "MANAGEMENT_URL"}
    gateway = Gateway(urls["gateway"], tmp_path, settings=of_users)
    async with running_lms() as lms:
        try:
            await asyncio.to_thread(gateway.start)
            with Client(gateway.url) as client:
                assert client.submit(lms.header("pulled"), "work") == (0, "1")
                assert client.submit(lms.header("pushed", path="/other", queue="other"), "work") == (0, "1")
                leased = await asyncio.to_thread(client.get_one)

            # The ledger is replayed: the key of before is still good.
            await asyncio.to_thread(gateway.kill)
            await asyncio.to_thread(gateway.start)
            with Client(gateway.url) as client:
                assert await asyncio.to_thread(client.put, leased["xqueue_header"], REPLY) == (0, "")

                # What is no submission is parked by the gateway that meets it.
                with pika.BlockingConnection(pika.URLParameters(vhost.amqp_url)) as connection:
                    connection.channel().basic_publish(SUBMISSIONS_EXCHANGE, "openedx", b"no submission")
                assert await asyncio.to_thread(client.get, "openedx", wait=1) is None
            await one_in(vhost, SUBMISSIONS_PARKED)

            await asyncio.to_thread(grade_over_amqp, urls["grader"], users.name("grader"))
            settings = Settings(
                amqp_url=urls["relay"],
                secret_key=SECRET_KEY,
                retry_delays=RETRY_DELAYS,
                notice_grace=3600.0,
                xqueues=users.queues,
                amqp_graders={users.name("grader"): ("other",)},
                service_users=json.loads(users.settings["SERVICE_USERS"]),
            )
            assert await asyncio.to_thread(who_may_not_answer, vhost, settings) == [None, None, None]

            lms.next_answers(500, 500, 500)
            async with relay_process(settings, tmp_path / "relay.log") as relay:
                accepted = await lms.wait_accepted(2)
                await one_in(vhost, RESULTS_PARKED)
                assert {callback.lms_key for callback in accepted} == {"pulled", "pushed"}
                assert {callback.xqueue_body for callback in accepted} == {REPLY.encode()}
                assert len(lms.received) == 5
                # Its last ack may be outstanding: killed, it would leave that result to be counted.
                assert await relay.terminate() == 0
                assert "REFUSED" not in relay.log

            operator = Operator(urls["broker"])
            counted = await asyncio.to_thread(operator.json, "count", **users.settings, **rungs)
            assert counted["parked"] == 1
            assert counted["results"] == {"waiting": 0, "retrying": 0, "parked": 1}
        finally:
            await asyncio.to_thread(gateway.stop)
    assert "REFUSED" not in gateway.log
    assert "Traceback" not in gateway.log
