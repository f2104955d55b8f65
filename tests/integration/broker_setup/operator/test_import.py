"""`xqueue-broker import`: what was exported fills a fresh broker, here another virtual host, once and in its order."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from broker_setup.ledger.events import Submitted
from broker_setup.operator.backup.manifest import MANIFEST
from broker_setup.operator.backup.progress_marks import COPIES, MARKS
from broker_setup.operator.session import Session
from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from broker_setup.topology import (
    CHECKED_QUEUE,
    NOTICES,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    RUNGS,
    SUBMISSIONS_PARKED,
    Topology,
    paused_queue,
    submissions_queue,
)
from broker_setup.wire.notices import notice_of
from broker_setup.wire.results import encode_result
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.exported import exported, exported_events
from tests.support.operator import Operator, begun, noted, submission, submit, take_all, waiting_in
from tests.support.parking import parked_result, parked_submission, put, result_for
from tests.support.pausing import pause
from tests.support.queues import ready
from tests.support.service_process import ServiceProcess
from tests.support.waiting import eventually

QUEUE = submissions_queue("openedx")
URL = "http://lms/score_update"


@pytest.fixture
def vhost(broker: Broker, example: Topology) -> Iterator[VHost]:
    """One that is not lent to the next test: its ledger has no history."""
    with temporary_vhost(broker) as own:
        declare(own.amqp_url, example)
        yield own


@pytest.fixture
def other(broker: Broker, example: Topology) -> Iterator[VHost]:
    """A fresh broker's."""
    with temporary_vhost(broker) as own:
        declare(own.amqp_url, example)
        yield own


async def note(vhost: VHost, *uuids: object) -> None:
    session = Session(Settings(amqp_url=vhost.amqp_url), "test")
    async with session.open(read_ledger=False):
        for each in uuids:
            await session.ledger.store(each)  # type: ignore[arg-type]


async def test_all_that_was_exported_is_there_in_its_order_and_with_its_history(
    vhost: VHost, other: VHost, tmp_path: Path
) -> None:
    began, url, folder = datetime.now(UTC), vhost.amqp_url, tmp_path / "export"
    work = [submission(began + timedelta(seconds=number), URL) for number in range(120)]
    parked = submission(began, URL)
    await submit(url, work)
    await note(vhost, *(noted(each, URL) for each in work[:3]))
    await put(url, SUBMISSIONS_PARKED, [parked_submission(parked)])
    told_at = (began + timedelta(hours=1)).timestamp()
    await put(url, f"{NOTICES}.1h", [encode_result(notice_of(parked.uuid, parked.sealed_return, "Sorry.", at=told_at))])
    for name in (RESULTS_QUEUE, CHECKED_QUEUE, f"{RUNGS}.1h"):
        await put(url, name, [encode_result(result_for(URL))])
    await put(url, RESULTS_PARKED, [parked_result(result_for(URL))])
    await pause(url, "q.2", 3600)
    await asyncio.to_thread(Operator(url).json, "export", str(folder))
    operator = Operator(other.amqp_url)
    said = await asyncio.to_thread(operator.json, "import", str(folder), "--yes")
    assert (said["imported"], said["queues"]) == (True, {name: len(ids) for name, ids in exported(folder).items()})
    assert await ready(other.amqp_url, paused_queue("q.2")) == 2
    await asyncio.to_thread(Operator(other.amqp_url).json, "export", str(tmp_path / "again"))
    assert exported(tmp_path / "again") == exported(folder)
    assert submitted_in(tmp_path / "again") == submitted_in(folder) == [each.uuid_bytes for each in work[:3]]
    assert (await asyncio.to_thread(operator.json, "import", str(folder), "--yes"))["imported"] is False
    for name in exported(folder):
        assert await asyncio.to_thread(take_all, other.amqp_url, name) == await asyncio.to_thread(take_all, url, name)
    assert not {MARKS, COPIES} & {queue["name"] for queue in other.api("GET", "queues/{vhost}").json()}


def submitted_in(folder: Path) -> list[bytes]:
    return [event.submission for event in exported_events(folder) if isinstance(event, Submitted)]


async def test_killed_again_and_again_while_graders_take_from_it_nothing_is_lost_and_nothing_twice(
    vhost: VHost, other: VHost, tmp_path: Path
) -> None:
    began, folder = datetime.now(UTC), tmp_path / "export"
    work = [submission(began + timedelta(seconds=number), URL) for number in range(900)]
    await submit(vhost.amqp_url, work)
    await asyncio.to_thread(Operator(vhost.amqp_url).json, "export", str(folder))
    operator, taken = Operator(other.amqp_url), []
    for _ in range(3):
        process = await begun("import", "--yes", str(folder), **operator.settings())
        await eventually(partial(some_came, other, process))
        await process.kill()
        taken += await asyncio.to_thread(waiting_in, other.amqp_url)
    await asyncio.to_thread(operator.run, "import", "--yes", str(folder))
    taken += await asyncio.to_thread(waiting_in, other.amqp_url)
    assert taken == [each.uuid for each in work]


async def test_what_is_not_whole_or_not_ours_is_refused(vhost: VHost, other: VHost, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    await submit(vhost.amqp_url, [submission(datetime.now(UTC), URL)])
    await asyncio.to_thread(Operator(vhost.amqp_url).json, "export", str(folder))
    operator = Operator(other.amqp_url)

    def refused(**settings: str) -> str:
        return operator.refused("import", "--yes", str(folder), **settings)

    assert "SECRET_KEY" in await asyncio.to_thread(lambda: refused(SECRET_KEY="another secret, as long as that one"))
    assert QUEUE in await asyncio.to_thread(lambda: refused(XQUEUES='{"q.2": null}'))
    [file] = [each for each in json.loads((folder / MANIFEST).read_text())["files"] if each["queue"] == QUEUE]
    content = (folder / file["name"]).read_bytes()
    (folder / file["name"]).write_bytes(content[:-9] + b"A" + content[-8:])
    assert "is not as it was exported" in await asyncio.to_thread(refused)
    (folder / file["name"]).unlink()
    assert "can't be read" in await asyncio.to_thread(refused)
    (folder / MANIFEST).unlink()
    assert f"has no {MANIFEST}" in await asyncio.to_thread(refused)
    assert await ready(other.amqp_url, QUEUE) == 0


async def test_a_broker_that_is_not_fresh_is_refused(vhost: VHost, other: VHost, tmp_path: Path) -> None:
    folder, work = tmp_path / "export", submission(datetime.now(UTC), URL)
    await asyncio.to_thread(Operator(vhost.amqp_url).json, "export", str(folder))
    operator = Operator(other.amqp_url)

    def refused() -> str:
        return operator.refused("import", "--yes", str(folder))

    session = Session(Settings(amqp_url=other.amqp_url), "test")
    async with session.open(read_ledger=False):
        channel = await session.source.channel()
        await channel.consume(CHECKED_QUEUE, lambda _: None)
        assert f"consumes from {CHECKED_QUEUE}" in await asyncio.to_thread(refused)
    await submit(other.amqp_url, [work])
    assert f"there is something in {QUEUE}" in await asyncio.to_thread(refused)
    await asyncio.to_thread(take_all, other.amqp_url, QUEUE)
    await note(other, noted(work, URL))
    assert "1 events of its own" in await asyncio.to_thread(refused)


async def test_a_result_keeps_the_user_that_it_is_from_or_is_refused(
    broker: Broker, vhost: VHost, other: VHost, tmp_path: Path
) -> None:
    """The relay goes by it: what came in the importer's name would be an AMQP grader's, and not ours."""
    folder = tmp_path / "export"
    await put(vhost.amqp_url, CHECKED_QUEUE, [encode_result(result_for(URL))])
    await asyncio.to_thread(Operator(vhost.amqp_url).json, "export", str(folder))
    with user(other, tags="") as url:
        refused = await asyncio.to_thread(Operator(url).refused, "import", "--yes", str(folder))
        assert "needs the tag impersonator" in refused
    with user(other, tags="impersonator") as url:
        await asyncio.to_thread(Operator(url).json, "import", "--yes", str(folder))
    found = other.api(
        "POST",
        f"queues/{{vhost}}/{CHECKED_QUEUE}/get",
        json={"count": 1, "ackmode": "ack_requeue_true", "encoding": "base64"},
    ).json()
    assert [each["properties"]["user_id"] for each in found] == [urlsplit(broker.amqp_url).username]


async def some_came(vhost: VHost, process: ServiceProcess) -> bool:
    return not process.is_alive or await ready(vhost.amqp_url, QUEUE) > 0


@contextlib.contextmanager
def user(vhost: VHost, tags: str) -> Iterator[str]:
    """Make an account with all rights to a virtual host, for as long as the block runs; the URL is its own."""
    name, everything = f"importer-{vhost.name}", {"configure": ".*", "write": ".*", "read": ".*"}
    vhost.api("PUT", f"users/{name}", json={"password": "its-own", "tags": tags})
    vhost.api("PUT", f"permissions/{{vhost}}/{name}", json=everything)
    parts = urlsplit(vhost.amqp_url)
    try:
        yield parts._replace(netloc=f"{name}:its-own@{parts.hostname}:{parts.port}").geturl()
    finally:
        vhost.api("DELETE", f"users/{name}")
