"""Pausing a queue at the command line: what it says, what the broker and the ledger have of it, and that it ends."""

import asyncio
from datetime import UTC, datetime, timedelta

from broker_setup.ledger.events import Act, Acted
from broker_setup.link.connection import Link, supervised
from broker_setup.link.pauses import Pauses
from broker_setup.pausing import read_pauses
from broker_setup.topology import paused_queue, submissions_queue
from broker_setup.wire.pauses import Pause, encode_pause
from tests.support.ledger import events_in, pika_channel
from tests.support.operator import Operator
from tests.support.waiting import eventually


def test_a_pause_is_told_by_count_and_the_ledger_until_the_queue_goes_on(operator: Operator) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    operator.json("pause", "openedx", "--reason", "an older reason")
    paused = ("pause", "openedx", "--reason", "its grader\N{RIGHT SINGLE QUOTATION MARK}s disk", "--by", "Ned")
    told = operator.json(*paused, "--until", until.isoformat())
    assert told["paused"]["until"] == until.isoformat(timespec="milliseconds")
    for _ in range(2):  # looking changes nothing
        counted = operator.json("count")["queues"]
        assert [each["paused"] for each in counted] == [told["paused"], None]
    assert "openedx is paused since " in operator.run("count").stdout
    assert operator.json("resume", "openedx", "--by", "Maude")["was_paused"]
    assert not operator.json("resume", "openedx")["was_paused"]
    assert [each["paused"] for each in operator.json("count")["queues"]] == [None, None]
    acts = [event for event in events_in(operator.amqp_url) if isinstance(event, Acted)]
    assert [(act.act, act.by, act.queue, act.until) for act in acts[1:]] == [
        (Act.PAUSED, "Ned", "openedx", until.timestamp()),
        (Act.RESUMED, "Maude", "openedx", 0.0),
    ]


def test_who_takes_a_paused_queues_work_all_the_same_is_said(operator: Operator) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)
    with pika_channel(operator.amqp_url) as grader:
        grader.basic_publish("xqueue.paused", "openedx", encode_pause(Pause("openedx", "why", "Ned", since)).body)
        assert "all the same" not in operator.run("count").stdout
        grader.basic_consume(submissions_queue("openedx"), lambda *_: None)
        assert "1 consumer takes its work all the same" in operator.run("count").stdout
        assert [each["consumers"] for each in operator.json("count")["queues"]] == [1, 0]
        operator.json("pause", "openedx", "--reason", "now")
        assert "all the same" not in operator.run("count").stdout, "those who look have some seconds"


def test_what_can_not_be_paused_is_said(operator: Operator) -> None:
    why = ("--reason", "why")
    assert "no queue 'opendx'" in operator.refused("pause", "opendx", *why)
    assert "is over" in operator.refused("pause", "openedx", *why, "--until", "2020-01-01")
    assert "45 days" in operator.refused("pause", "openedx", *why, "--until", "60d")
    assert "--reason is empty" in operator.refused("pause", "openedx", "--reason", " ")
    with pika_channel(operator.amqp_url) as channel:
        channel.queue_delete(paused_queue("openedx"))
    assert "run `xqueue-broker declare`" in operator.refused("pause", "openedx", *why)
    assert operator.json("count")["queues"][0]["paused"] is None, "as with a topology of 0.1.0"


async def test_what_can_not_be_read_pauses_all_the_same_and_a_queue_that_is_missing_does_not(
    operator: Operator,
) -> None:
    def put_something() -> None:
        with pika_channel(operator.amqp_url) as channel:
            channel.basic_publish("xqueue.paused", "openedx", b"something")
            channel.queue_delete(paused_queue("q.2"))

    await asyncio.to_thread(put_something)
    link = Link(operator.amqp_url, "test")
    async with supervised(link):
        await link.wait_up()
        pauses = Pauses(link, paused_queue)
        await eventually(lambda: pauses.is_paused("openedx"))
        read = await read_pauses(link, ["openedx", "q.2"], pauses)
        assert {queue: pause.reason for queue, pause in read.items()} == {
            "openedx": "what lies in xqueue.paused.openedx can't be read"
        }
        assert link.opened == 1, "a refusal costs a channel, and no connection"
