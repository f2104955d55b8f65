"""`xqueue-broker count`: what waits, what is leased, what is parked, and since when."""

import asyncio
import dataclasses
import re
import time
from datetime import UTC, datetime, timedelta

import pika
from msgspec.structs import replace

from broker_setup.ledger.events import Delivered
from broker_setup.operator.management_api import Management
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import CHECKED_QUEUE, RESULTS_PARKED, RESULTS_QUEUE, SUBMISSIONS_PARKED, retry_queue
from tests.integration.broker_setup.conftest import TOPOLOGY
from tests.support.broker import VHost
from tests.support.ledger import pika_channel, write_frames
from tests.support.ledger_events import expired, graded, leased, parked, submitted
from tests.support.operator import Operator, noted, submission, submit
from tests.support.queues import ready
from tests.support.waiting import eventually


def test_nothing_is_counted_as_nothing(operator: Operator) -> None:
    counted = operator.json("count")
    assert counted == {
        "queues": [
            {
                "queue": queue,
                "waiting": 0,
                "leased": 0,
                "parked": 0,
                "oldest_waiting": None,
                "paused": None,
                "consumers": 0,
            }
            for queue in ("openedx", "q.2")
        ],
        "parked": 0,
        "results": {"waiting": 0, "retrying": 0, "parked": 0},
        "results_held": None,
        "students_to_be_told": 0,
        "between_queues": None,
    }


def test_one_queue_may_be_asked_for_and_one_that_is_not_there_is_refused(operator: Operator) -> None:
    assert [each["queue"] for each in operator.json("count", "q.2")["queues"]] == ["q.2"]
    assert "no queue 'nope'; there are: openedx, q.2" in operator.run("count", "nope").stderr


def test_each_queue_is_counted_for_itself_and_results_by_where_they_are(operator: Operator) -> None:
    now = datetime.now(UTC)
    waiting = [submission(now - timedelta(minutes=minutes), f"https://lms/{minutes}") for minutes in (50, 30, 10)]
    asyncio.run(submit(operator.amqp_url, [*waiting, submission(now, "https://lms/2", queue="q.2")]))
    began = now.timestamp() - 3600
    write_frames(
        operator.amqp_url,
        [
            # Leased, settled, parked, delivered over AMQP: none of these waits any more.
            [submitted(1, began, url="1"), leased(1, began + 1, "k", until=time.time() + 600, url="1")],
            [submitted(2, began, url="2"), leased(2, began + 1, "l", url="2"), graded(2, began + 2, "l", url="2")],
            [submitted(3, began, url="3"), parked(3, began + 1, url="3")],
            [submitted(4, began, url="4"), Delivered(began + 1, submitted(4, 0).submission, 1)],
            [noted(each, f"https://lms/{number}") for each, number in zip(waiting, (50, 30, 10), strict=True)],
            # Its lease ran out: it waits, and since its submit.
            [leased(5, began + 1, "m", until=began + 2, queue="q.2", url="5"), expired(5, began + 2, "m")],
            [submitted(5, began, queue="q.2", url="5")],
        ],
    )
    with pika_channel(operator.amqp_url) as channel:
        queues = [RESULTS_QUEUE, CHECKED_QUEUE, retry_queue(3600), RESULTS_PARKED, SUBMISSIONS_PARKED]
        for queue in queues:
            channel.basic_publish("", queue, b"x", pika.BasicProperties(delivery_mode=2))
    counted = operator.json("count")
    openedx, other = counted["queues"]
    assert 3000 <= openedx.pop("oldest_waiting") < 3060
    assert openedx == {"queue": "openedx", "waiting": 3, "leased": 1, "parked": 1, "paused": None, "consumers": 0}
    assert 3600 <= other.pop("oldest_waiting") < 3660
    assert other == {"queue": "q.2", "waiting": 1, "leased": 0, "parked": 0, "paused": None, "consumers": 0}
    assert counted["parked"] == 1
    assert counted["results"] == {"waiting": 2, "retrying": 1, "parked": 1}

    table = operator.run("count").stdout
    assert re.search(r"openedx\s*│ 3\s*│ 1\s*│ 1\s*│ 50 min \d+ s", table)
    assert "parked submissions: 1" in table
    assert "results: 2 waiting, 1 retrying, 1 parked" in table
    assert (
        "on the way from one queue to the next: not known: only the management API counts it, and MANAGEMENT_URL is not"
    ) in table


def test_a_superseded_submission_waits_no_more(operator: Operator) -> None:
    now = datetime.now(UTC)
    older, newer = (submission(now - timedelta(minutes=minutes), "https://lms/1") for minutes in (20, 10))
    asyncio.run(submit(operator.amqp_url, [older, newer]))
    write_frames(operator.amqp_url, [[noted(older, "https://lms/1"), noted(newer, "https://lms/1")]])
    counted = operator.json("count")["queues"][0]
    assert counted["waiting"] == 1
    assert 600 <= counted["oldest_waiting"] < 660
    # The gateways' word stands in the ledger; an operator's shell with other settings counts the same.
    assert operator.json("count", QUEUE_OPTIONS='{"openedx": {"supersede": false}}')["queues"][0]["waiting"] == 1


def test_what_its_gateway_let_nothing_supersede_goes_on_waiting(operator: Operator) -> None:
    now = datetime.now(UTC)
    older, newer = (submission(now - timedelta(minutes=minutes), "https://lms/1") for minutes in (20, 10))
    asyncio.run(submit(operator.amqp_url, [older, newer]))
    kept = [replace(noted(each, "https://lms/1"), supersede_after=None) for each in (older, newer)]
    write_frames(operator.amqp_url, [kept])
    counted = operator.json("count")["queues"][0]
    assert counted["waiting"] == 2
    assert counted["oldest_waiting"] >= 1200


def test_a_missing_queue_is_said_with_what_to_do(operator: Operator) -> None:
    line = operator.refused("count", XQUEUES='{"new": null}')
    assert "queue 'xqueue.submissions.new' is missing: run `xqueue-broker declare`" in line


async def test_results_whose_rung_is_over_and_that_have_no_queue_to_go_to_are_counted_as_retrying(
    operator: Operator, declared: VHost
) -> None:
    knows = {"MANAGEMENT_URL": declared.management_url}
    with pika_channel(operator.amqp_url) as channel:
        channel.queue_delete(CHECKED_QUEUE)
        for _ in range(5):
            channel.basic_publish("", retry_queue(1), b"x", pika.BasicProperties(delivery_mode=2))

    async def all_have_left_their_rung() -> bool:
        return await ready(operator.amqp_url, retry_queue(1)) == 0

    def the_broker_has_counted_them() -> bool:
        return retry_queue(1) in counts.dead_letters() and CHECKED_QUEUE in counts.dead_letters()

    await eventually(all_have_left_their_rung)
    # Without its binding: the broker would try again meanwhile, how soon is a matter of its settings.
    await asyncio.to_thread(declare, operator.amqp_url, dataclasses.replace(TOPOLOGY, bindings=()))
    with Management(declared.management_url, declared.name) as counts:
        # Its statistics are made every 5 s.
        await eventually(the_broker_has_counted_them, 60)
    counted = await asyncio.to_thread(lambda: operator.json("count", **knows))
    assert counted["between_queues"] == {retry_queue(1): 5}
    assert counted["results"] == {"waiting": 0, "retrying": 5, "parked": 0}
    assert f"next: 5 (5 from {retry_queue(1)})" in operator.run("count", **knows).stdout
    listed = operator.run("results", "list", **knows).stdout
    assert f"on the way from a rung to {CHECKED_QUEUE}: 5 (5 from {retry_queue(1)})" in listed


async def test_results_that_the_relay_holds_are_counted_where_the_management_api_tells_of_them(
    operator: Operator, declared: VHost
) -> None:
    with (
        pika_channel(operator.amqp_url) as relay,
        Management(declared.management_url, declared.name) as statistics,
    ):
        for _ in range(2):
            relay.basic_publish("", CHECKED_QUEUE, b"x", pika.BasicProperties(delivery_mode=2))
        held = 0
        while held < 2:
            held += relay.basic_get(CHECKED_QUEUE)[0] is not None

        def the_broker_has_counted_them() -> bool:
            counted = statistics.held()
            return counted.get(CHECKED_QUEUE) == 2 and RESULTS_QUEUE in counted

        await eventually(the_broker_has_counted_them, 60)
        ran = await asyncio.to_thread(operator.run, "count", MANAGEMENT_URL=declared.management_url)
    assert "results: 0 waiting, 0 retrying, 0 parked; 2 more held by the relay" in ran.stdout


def test_a_management_api_that_does_not_answer_is_said_and_the_rest_is_counted(operator: Operator) -> None:
    table = operator.run("count", MANAGEMENT_URL="http://u:hunter2@127.0.0.1:1").stdout
    assert "on the way from one queue to the next: not known: can't reach the management API" in table
    assert "hunter2" not in table
    assert "results: 0 waiting, 0 retrying, 0 parked; not known how many the relay holds" in table
