"""`xqueue-broker export`: all that lies in queues, and what gateways hold, is in a folder; nothing is taken away."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from broker_setup.ledger.events import Leased
from broker_setup.operator.session import Session
from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from broker_setup.topology import (
    CHECKED_QUEUE,
    NOTICES,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    RUNGS,
    SUBMISSIONS_FAILED,
    SUBMISSIONS_PARKED,
    Topology,
    paused_queue,
    submissions_queue,
)
from broker_setup.wire.notices import notice_of
from broker_setup.wire.results import encode_result
from broker_setup.wire.submissions import encode_submission
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.exported import exported, exported_events
from tests.support.gateway import SECRET_KEY, Client, Gateway, lms_header
from tests.support.grading import Gate, grading
from tests.support.operator import Operator, begun, noted, submission, submit, waiting_in
from tests.support.parking import parked_result, parked_submission, put, result_for
from tests.support.pausing import pause
from tests.support.queues import ready
from tests.support.waiting import eventually

QUEUE = submissions_queue("openedx")
URL = "http://lms/score_update"


@pytest.fixture
def vhost(broker: Broker, example: Topology) -> Iterator[VHost]:
    """One that is not lent to the next test: its ledger has no history."""
    with temporary_vhost(broker) as own:
        declare(own.amqp_url, example)
        yield own


async def test_what_lies_in_any_queue_is_exported_in_its_order_and_stays_where_it_is(
    vhost: VHost, tmp_path: Path
) -> None:
    began, url = datetime.now(UTC), vhost.amqp_url
    work = [submission(began + timedelta(seconds=number), URL) for number in range(150)]
    await submit(url, work)
    failed, parked = submission(began, URL), submission(began, URL)
    notice = encode_result(notice_of(parked.uuid, parked.sealed_return, "Sorry."))
    results = [encode_result(result_for(URL)) for _ in range(3)]
    undeliverable = result_for(URL)
    await put(url, SUBMISSIONS_FAILED, [encode_submission(failed)])
    await put(url, SUBMISSIONS_PARKED, [parked_submission(parked)])
    await put(url, f"{NOTICES}.1h", [notice])
    for name, result in zip((RESULTS_QUEUE, CHECKED_QUEUE, f"{RUNGS}.1h"), results, strict=True):
        await put(url, name, [result])
    await put(url, RESULTS_PARKED, [parked_result(undeliverable)])
    await pause(url, "q.2")
    folder = tmp_path / "export"
    said = await asyncio.to_thread(Operator(url).json, "export", str(folder))
    assert exported(folder) == {
        QUEUE: [each.uuid for each in work],
        SUBMISSIONS_FAILED: [failed.uuid],
        SUBMISSIONS_PARKED: [parked.uuid],
        f"{NOTICES}.1h": [parked.uuid],
        RESULTS_QUEUE: [results[0].correlation_id],
        CHECKED_QUEUE: [results[1].correlation_id],
        f"{RUNGS}.1h": [results[2].correlation_id],
        RESULTS_PARKED: [undeliverable.submission],
        paused_queue("q.2"): ["", ""],
    }
    assert said["queues"] == {queue: len(messages) for queue, messages in exported(folder).items()}
    assert (said["missing"], said["frames"]) == ({}, 1)
    assert await ready(url, f"{RUNGS}.1h") == await ready(url, RESULTS_PARKED) == 1
    assert await asyncio.to_thread(waiting_in, url) == [each.uuid for each in work]


async def test_what_gateways_hold_comes_back_for_a_moment_and_its_leases_run_on(vhost: VHost, tmp_path: Path) -> None:
    """One is leased, and others wait in the gateway's memory for the next poll."""
    gateway = Gateway(vhost.amqp_url, tmp_path, {"openedx": None, "q.2": None})
    await asyncio.to_thread(gateway.start)
    try:
        with Client(gateway.url) as client:
            bodies = [str(number) for number in range(5)]
            for body in bodies:
                assert (await asyncio.to_thread(client.submit, lms_header(), body))[0] == 0
            taken = [await asyncio.to_thread(client.get_one) for _ in range(2)]
            assert await ready(vhost.amqp_url, QUEUE) < len(bodies) - 1
            folder = tmp_path / "export"
            operator = Operator(vhost.amqp_url)
            await asyncio.to_thread(operator.json, "export", str(folder), SECRET_KEY=SECRET_KEY)
            assert len(exported(folder)[QUEUE]) == len(set(exported(folder)[QUEUE])) == len(bodies)
            leases = [event for event in exported_events(folder) if isinstance(event, Leased)]
            assert len(leases) == len(taken)
            rest = [await asyncio.to_thread(client.get_one) for _ in range(3)]
            assert sorted(each["xqueue_body"] for each in (*taken, *rest)) == bodies
            for each in taken:
                reply = {"xqueue_header": each["xqueue_header"], "xqueue_body": '{"correct": true, "score": 1}'}
                assert (await asyncio.to_thread(client.call, "POST", "put_result/", data=reply))[0] == 0
    finally:
        await asyncio.to_thread(gateway.kill)
    assert await ready(vhost.amqp_url, CHECKED_QUEUE) == len(taken)


async def test_what_a_grader_holds_all_the_time_is_named_and_the_rest_is_exported(vhost: VHost, tmp_path: Path) -> None:
    url, gate = vhost.amqp_url, Gate()
    held, waits = submission(datetime.now(UTC), URL), submission(datetime.now(UTC), URL, queue="q.2")
    session = Session(Settings(amqp_url=url), "test")
    async with session.open(read_ledger=False):
        await session.ledger.store(noted(held, URL), noted(waits, URL))
    await submit(url, [held, waits])
    folder = tmp_path / "export"
    async with grading(url, gate.grade):
        await eventually(lambda: gate.begun)
        ran = await asyncio.to_thread(Operator(url).run, "export", str(folder), "--wait", "1", "--json")
        gate.open.set()
    assert ran.returncode == 1
    assert "1 submission did not come in 1 s" in ran.stderr
    assert json.loads(ran.stdout)["missing"] == {held.uuid: "openedx"}
    assert exported(folder) == {submissions_queue("q.2"): [waits.uuid]}


async def test_killed_it_leaves_no_export_and_the_queue_as_it_was(vhost: VHost, tmp_path: Path) -> None:
    began = datetime.now(UTC)
    work = [submission(began + timedelta(seconds=number), URL) for number in range(300)]
    await submit(vhost.amqp_url, work)
    session = Session(Settings(amqp_url=vhost.amqp_url), "test")
    async with session.open(read_ledger=False):  # of one that is nowhere, so that it waits
        await session.ledger.store(noted(submission(began, URL), URL))
    folder, unfinished = tmp_path / "export", tmp_path / "export.unfinished"
    operator = Operator(vhost.amqp_url)
    process = await begun("export", str(folder), **operator.settings())
    await eventually(lambda: list(unfinished.glob("*.met")))
    await process.kill()
    assert not folder.exists()
    await eventually(lambda: ready_again(vhost.amqp_url, len(work)))
    assert (await asyncio.to_thread(operator.run, "export", str(folder), "--wait", "0")).returncode == 1
    assert sorted(exported(folder)[QUEUE]) == sorted(each.uuid for each in work)
    assert not unfinished.exists()


async def ready_again(url: str, number: int) -> bool:
    return await ready(url, QUEUE) == number


def test_a_folder_that_is_there_is_left_alone(vhost: VHost, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    assert "is there" in Operator(vhost.amqp_url).refused("export", str(tmp_path))
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


def test_policies_and_users_are_exported_without_a_password(vhost: VHost, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    Operator(vhost.amqp_url).json("export", str(folder), MANAGEMENT_URL=vhost.management_url)
    text = (folder / "definitions.json").read_text()
    assert {each["name"] for each in json.loads(text)["queues"]} >= {QUEUE, RESULTS_QUEUE}
    assert json.loads(text)["users"]
    assert "password" not in text
