"""A light load: an LMS that submits to each gateway, graders that take at one and hand in at the next."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from time import monotonic
from typing import Any

import aiohttp

from bench.chaos.cluster import AMQP_QUEUE, BRIDGE_QUEUE, QUEUE
from bench.chaos.journal import EMPTY, REFUSED, TAKEN, Call, Journal, Lease
from bench.chaos.site import AMQP_GRADER, BRIDGE, LEASE_MINUTES, Site
from tests.support.fleet import reply_to
from tests.support.gateway import USERS
from tests.support.lms import Answer, Callback, FakeLMS, running_lms

SUBMIT_EVERY = 0.3  # seconds, at each gateway
GRADERS = 3  # that poll each gateway
PAUSE_SECONDS = 0.3
READY_EVERY = 0.5
# Every call is answered within 3 s and what it waits; who waits longer is told nothing.
CALL_SECONDS = 10.0
# Of five submissions, three are for those that pull, and those for others only where these are.
QUEUES = (QUEUE, AMQP_QUEUE, QUEUE, BRIDGE_QUEUE, QUEUE)
GRADED_BY = {AMQP_QUEUE: AMQP_GRADER, BRIDGE_QUEUE: BRIDGE}
AWAY = (aiohttp.ClientError, TimeoutError, ConnectionError)
REFUSED_STATUS = 503


class Load:
    """The clients; what they see stands in `journal`."""

    def __init__(self, site: Site, session: aiohttp.ClientSession, lms: FakeLMS, thinking: float) -> None:
        """Call the gateways of a site; a grader takes `thinking` seconds for a submission."""
        self.journal = Journal()
        self.lms = lms
        self.urls: Mapping[str, str] = {name: part.url for name, part in site.items() if part.url}
        self._queues = [queue for queue in QUEUES if queue not in GRADED_BY or GRADED_BY[queue] in site]
        self._session = session
        self._thinking = thinking
        self._numbers = count(1)
        self.submits = True
        self.submitters = 0  # that are at work: each ends when the last of its submissions has been answered

    async def submitter(self, gateway: str) -> None:
        """Submit at a steady pace, however long the answers take."""
        self.submitters += 1
        under_way: set[asyncio.Task[None]] = set()
        while self.submits:
            task = asyncio.create_task(self._submit(gateway, next(self._numbers)))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
            await asyncio.sleep(SUBMIT_EVERY)
        await asyncio.gather(*under_way)
        self.submitters -= 1

    async def grader(self, polled: str, told: str) -> None:
        """Take work at one gateway and hand its result in at the other, for ever."""
        while True:
            began = monotonic()
            if submission := await self._poll(polled):
                await asyncio.sleep(self._thinking)
                # A lease begins after it was asked for; what comes later than this may be somebody else's again.
                await self._put(submission, began + LEASE_MINUTES * 60, told)

    async def watcher(self, gateway: str) -> None:
        """Ask a gateway whether it is ready, for ever."""
        while True:
            began = monotonic()
            try:
                async with self._session.get(f"{self.urls[gateway]}/readyz") as answer:
                    ready = answer.status == 200
            except AWAY:
                ready = False
            self._note("ready", gateway, began, TAKEN if ready else REFUSED)
            await asyncio.sleep(READY_EVERY)

    def take_callbacks(self, callback: Callback) -> Answer:
        """Take a callback, as an LMS that is well."""
        self.journal.posted.append(callback.lms_key)
        self.journal.posted_at.setdefault(callback.lms_key, monotonic())
        return Answer()

    async def _submit(self, gateway: str, number: int) -> None:
        key = f"key-{number}"
        header = self.lms.header(key, queue=self._queues[number % len(self._queues)])
        began = monotonic()
        answer = await self._call("POST", "submit/", gateway, data={"xqueue_header": header, "xqueue_body": key})
        self._note("submit", gateway, began, TAKEN if answer and answer[0] == 0 else REFUSED)
        if answer and answer[0] == 0:
            self.journal.accepted.add(key)

    async def _poll(self, gateway: str) -> dict[str, Any] | None:
        began = monotonic()
        answer = await self._call("GET", "get_submission/", gateway, params={"queue_name": QUEUE, "wait": "1"})
        if not answer:
            self._note("poll", gateway, began, REFUSED)
            await asyncio.sleep(PAUSE_SECONDS)
            return None
        code, content = answer
        self._note("poll", gateway, began, EMPTY if code else TAKEN)
        if code:
            return None
        submission: dict[str, Any] = json.loads(content)
        self.journal.leases.append(Lease(submission["xqueue_body"], began, monotonic()))
        return submission

    async def _put(self, submission: dict[str, Any], until: float, gateway: str) -> None:
        key = submission["xqueue_body"]
        data = {"xqueue_header": submission["xqueue_header"], "xqueue_body": reply_to(key)}
        while monotonic() < until:
            began = monotonic()
            answer = await self._call("POST", "put_result/", gateway, data=data)
            self._note("result", gateway, began, TAKEN if answer else REFUSED)
            if not answer:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            if answer[0] == 0:
                self.journal.graded[key] += 1
                self.journal.settled.setdefault(key, monotonic())
            elif monotonic() < until:
                self.journal.turned_down.append(f"{key}: {answer[1]}")
            return

    async def _call(self, method: str, call: str, gateway: str, **options: Any) -> tuple[int, Any] | tuple[()] | None:
        """Return the answer's code and content; nothing where it was a 503, None where there was no answer."""
        try:
            url = f"{self.urls[gateway]}/xqueue/{call}"
            async with self._session.request(method, url, **options) as answer:
                if answer.status == REFUSED_STATUS:
                    return ()
                envelope = await answer.json(content_type=None)
                return envelope["return_code"], envelope["content"]
        except AWAY:
            return None

    def _note(self, kind: str, gateway: str, began: float, outcome: str) -> None:
        self.journal.calls.append(Call(kind, gateway, began, monotonic(), outcome))


@asynccontextmanager
async def running_load(site: Site, thinking: float) -> AsyncIterator[Load]:
    """Run the load for as long as the block runs; set `submits` to False to let it come to an end."""
    account = aiohttp.encode_basic_auth("grader", USERS["grader"])
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
    async with (
        running_lms() as lms,
        aiohttp.ClientSession(headers={"Authorization": account}, timeout=timeout) as session,
    ):
        load = Load(site, session, lms, thinking)
        lms.answer = load.take_callbacks
        tasks = [asyncio.create_task(work) for work in _all_of(load, list(load.urls))]
        try:
            yield load
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError):
                    await task


def _all_of(load: Load, gateways: Sequence[str]) -> Sequence[Coroutine[Any, Any, None]]:
    across = zip(gateways, (*gateways[1:], gateways[0]), strict=True)
    return [
        *(load.grader(polled, told) for polled, told in across for _ in range(GRADERS)),
        *(load.submitter(gateway) for gateway in gateways),
        *(load.watcher(gateway) for gateway in gateways),
    ]
