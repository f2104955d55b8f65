"""An export is made while all work, the broker goes with all its data, and another one gets the export."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.support.broker import Broker, temporary_vhost
from tests.support.fleet import AWAY, Fleet, fleet, reply_to
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, Gateway
from tests.support.grading import grading
from tests.support.lms import Answer, Callback, FakeLMS, running_lms
from tests.support.operator import Operator
from tests.support.relay import relay_process, settings_for
from tests.support.waiting import eventually
from xqueue_grader import Answer as Reply
from xqueue_grader import Submission

WAITING = 60
PULLED, TAKEN = "openedx", "other"


class Site:
    """An LMS that submits, and takes every third result only when it is well; and what it was told."""

    def __init__(self, lms: FakeLMS) -> None:
        self._lms = lms
        self._numbers = count()
        self.is_well = False
        self.accepted: set[str] = set()
        lms.answer = lambda callback: Answer(200 if self.is_well or number_of(callback.lms_key) % 3 else 503)

    async def submit(self, clients: Fleet) -> None:
        number = next(self._numbers)
        key, queue = f"key-{number}", TAKEN if number % 4 == 0 else PULLED
        header = self._lms.header(key, path=f"/xqueue/{number}/score_update", queue=queue)
        code, _ = await clients.call("POST", "submit/", data={"xqueue_header": header, "xqueue_body": header})
        if code == 0:
            self.accepted.add(key)

    async def go_on_submitting(self, clients: Fleet, is_over: Callable[[], bool]) -> None:
        while not is_over():
            with suppress(*AWAY):
                await self.submit(clients)
            await asyncio.sleep(0.05)  # the pace of the load

    @property
    def settled(self) -> set[str]:
        """The keys of those whose results the LMS has."""
        return set(keys_of(self._lms.accepted))


def number_of(key: str) -> int:
    return int(key.removeprefix("key-"))


def keys_of(callbacks: Iterable[Callback]) -> list[str]:
    return [callback.lms_key for callback in callbacks]


async def graded_at_the_broker(submission: Submission) -> Reply:
    await asyncio.sleep(0.05)
    return reply_to(submission.body)


@asynccontextmanager
async def services(amqp_url: str, folder: Path, is_over: Callable[[], bool]) -> AsyncIterator[Fleet]:
    """Run a gateway, a relay and graders of both kinds; at the block's end gateway and relay are killed as they are."""
    # What is leased as the gateway dies waits for the end of its lease, on the new broker, too.
    soon = {"XQUEUE_SUBMISSION_PROCESSING_DELAY": "0.25"}
    gateway = Gateway(amqp_url, folder, {PULLED: None, TAKEN: None}, soon)
    settings = settings_for(amqp_url, secret_key=SECRET_KEY, retry_delays=RETRY_DELAYS)
    await asyncio.to_thread(gateway.start)
    try:
        async with fleet(gateway.url) as clients, relay_process(settings, folder / "relay.log") as relay:
            async with grading(amqp_url, graded_at_the_broker, queues=(TAKEN,)):
                pulling = asyncio.create_task(clients.grade_until(is_over, graders=3, queue=PULLED, thinking=0.1))
                yield clients
                await asyncio.to_thread(gateway.kill)
                await relay.kill()
            pulling.cancel()
            await asyncio.wait({pulling})
    finally:
        await asyncio.to_thread(gateway.kill)


@pytest.mark.timeout(400)
async def test_nothing_that_was_confirmed_before_an_export_began_is_lost_with_the_broker(
    broker: Broker, tmp_path: Path
) -> None:
    export, queues = tmp_path / "export", topology((PULLED, TAKEN), RETRY_DELAYS)
    more = {"SECRET_KEY": SECRET_KEY, "XQUEUES": json.dumps({PULLED: None, TAKEN: None}), "NOTICE_GRACE": "0"}
    more["RETRY_DELAYS"] = json.dumps(RETRY_DELAYS)
    async with running_lms() as lms:
        site, is_over = Site(lms), asyncio.Event()
        with temporary_vhost(broker) as lost:
            await asyncio.to_thread(declare, lost.amqp_url, queues)
            async with services(lost.amqp_url, tmp_path, is_over.is_set) as clients:
                for _ in range(WAITING):
                    await site.submit(clients)
                submitting = asyncio.create_task(site.go_on_submitting(clients, is_over.is_set))
                await eventually(lambda: len(site.settled) >= 10)
                settled = site.settled
                await eventually(lambda: len(site.settled) >= 20)  # so that the ledger has the first ten
                confirmed = set(site.accepted)
                export_it = partial(
                    Operator(lost.amqp_url).json, "export", str(export), MANAGEMENT_URL=lost.management_url
                )
                assert (await asyncio.to_thread(export_it, **more))["missing"] == {}
                is_over.set()
                await submitting
        assert confirmed - site.settled
        with temporary_vhost(broker) as fresh:
            operator = Operator(fresh.amqp_url)
            await asyncio.to_thread(declare, fresh.amqp_url, queues)
            await asyncio.to_thread(lambda: operator.json("import", "--yes", str(export), **more))
            before, site.is_well = len(lms.accepted), True
            async with services(fresh.amqp_url, tmp_path, lambda: confirmed <= site.settled):
                await eventually(lambda: confirmed <= site.settled, 150)
    after = Counter(keys_of(lms.accepted[before:]))
    assert settled.isdisjoint(after)
    assert {key: number for key, number in after.items() if number > 1 and number_of(key) % 4} == {}
