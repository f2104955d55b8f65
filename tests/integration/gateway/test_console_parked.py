"""What operators do in the console with what is parked, at a real broker: thousands of them, and two people at once.

`PARKED=10000` before pytest parks so many.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from time import monotonic, time

import httpx
import pytest

from broker_setup.ledger.events import Acted, AnyEvent, Parked, Redriven, Retired
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import SUBMISSIONS_PARKED, submissions_queue
from gateway.console.pages import jobs
from tests.support.broker import VHost
from tests.support.console import PASSWORD, SECRET, console_settings, post, running_console, text_of
from tests.support.ledger import follower, write_frames
from tests.support.operator import run, take_all
from tests.support.parking import parked_submission, put, work
from tests.support.ports import free_port
from tests.support.queues import ready
from tests.support.waiting import eventually

NUMBER, FEW = int(os.environ.get("PARKED", "2000")), 150


@asynccontextmanager
async def logged_in(url: str, name: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as browser:
        answer = await browser.post("/login", data={"username": name, "password": PASSWORD})
        assert answer.status_code == 303
        yield browser


@asynccontextmanager
async def console_at(vhost: VHost) -> AsyncIterator[str]:
    roles = {name: {"role": "operator"} for name in ("ada", "vic")}
    settings = console_settings(amqp_url=vhost.amqp_url, console_port=free_port(), console_roles=roles)
    async with running_console(settings) as url:
        yield url


async def park(vhost: VHost, number: int, reason: str, queue: str = "openedx") -> list[str]:
    """Park submissions as a gateway does: at the broker and in the ledger; return their uuids."""
    works = [work(queue) for _ in range(number)]
    await put(vhost.amqp_url, SUBMISSIONS_PARKED, [parked_submission(each, reason) for each in works])
    events: list[AnyEvent] = [Parked(time(), each.uuid_bytes, queue, b"", reason) for each in works]
    frames = [events[start : start + 1000] for start in range(0, number, 1000)]
    await asyncio.to_thread(write_frames, vhost.amqp_url, frames)
    return [each.uuid for each in works]


async def done(browser: httpx.AsyncClient, path: str) -> str:
    """Have a job that is counted carried out; return what its page says in the end."""
    said = ""

    async def says(pattern: str) -> bool:
        nonlocal said
        said = text_of(await browser.get(path))
        return re.search(pattern, said) is not None

    await eventually(lambda: says(r"\d+ match\."), 120)
    await post(browser, path, {})
    await eventually(lambda: says(r"\d+ (redriven|discarded)\."), 120)
    return said


async def test_of_thousands_that_are_parked_two_operators_redrive_the_same_few_and_nothing_is_lost(
    vhost: VHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "REDRIVE_RATE", 1_000)
    await asyncio.to_thread(declare, vhost.amqp_url, console_settings().topology)
    await park(vhost, NUMBER - FEW, "failed 20 times")
    few = await park(vhost, FEW, "the disk was full")
    async with console_at(vhost) as url, logged_in(url, "ada") as ada, logged_in(url, "vic") as vic:
        began = monotonic()
        page = await ada.get("/parked")
        assert f"In the queues that you see: {NUMBER}." in text_of(page)
        assert page.text.count('name="uuid"') == 100
        older = await ada.get("/parked", params={"skip": NUMBER - 100, "reason": "20 TIMES"})
        only = await ada.get("/parked", params={"reason": "disk was full"})
        assert (older.text.count('name="uuid"'), only.text.count('name="uuid"')) == (0, 100)
        seconds = monotonic() - began
        assert seconds < 20, f"the pages took {seconds:.1f} s"

        everything = {"verb": "redrive", "which": "all", "reason": "disk was full"}
        ticked = {"verb": "redrive", "which": "picked", "uuid": few}
        begun = [await post(ada, "/parked/jobs", everything), await post(vic, "/parked/jobs", ticked)]
        assert [each.status_code for each in begun] == [303, 303]
        # Nobody sees, nor does, what another has begun.
        assert (await vic.get(begun[0].headers["location"])).status_code == 404
        said = await asyncio.gather(
            *(done(who, each.headers["location"]) for who, each in zip((ada, vic), begun, strict=True))
        )
        numbers = [int(found[1]) for each in said if (found := re.search(r"(\d+) redriven", each))]
        assert sum(numbers) == FEW
        assert await ready(vhost.amqp_url, SUBMISSIONS_PARKED) == NUMBER - FEW
        assert await ready(vhost.amqp_url, submissions_queue("openedx")) == FEW
        story = text_of(await ada.get(f"/submission/{few[0]}"))
    assert re.search(r"(ada|vic) sent it back to its graders \(time 1\)", story)
    taken = await asyncio.to_thread(take_all, vhost.amqp_url, submissions_queue("openedx"))
    assert sorted(uuid for uuid, *_ in taken) == sorted(few)


async def test_one_is_discarded_and_a_queue_paused_under_the_accounts_name(vhost: VHost) -> None:
    await asyncio.to_thread(declare, vhost.amqp_url, console_settings().topology)
    [uuid] = await park(vhost, 1, "failed 20 times")
    [another] = await park(vhost, 1, "failed 20 times", "other")
    async with console_at(vhost) as url, logged_in(url, "ada") as ada:
        begun = await post(ada, "/parked/jobs", {"verb": "discard", "uuid": uuid})
        assert "1 discarded." in await done(ada, begun.headers["location"])
        assert await ready(vhost.amqp_url, SUBMISSIONS_PARKED) == 1
        assert (await post(ada, "/pause", {"queue": "openedx", "reason": "mended", "hours": "1"})).status_code == 303

        async def is_paused() -> bool:
            return "Paused by ada" in text_of(await ada.get("/"))

        await eventually(is_paused, 60)
        assert (await post(ada, "/resume", {"queue": "openedx"})).status_code == 303

        async def goes_on() -> bool:
            return not await is_paused()

        await eventually(goes_on, 60)
        assert another in (await ada.get("/parked")).text
        port = url.rpartition(":")[2]
        values = {"AMQP_URL": vhost.amqp_url, "SECRET_KEY": SECRET, "CONSOLE_PORT": port}
        asked, read = [
            await asyncio.to_thread(partial(run, "trace", uuid, *options, **values)) for options in ((), ("--ledger",))
        ]
    assert asked.stdout == read.stdout, asked.stderr
    assert "by ada" in asked.stdout
    assert "reading the ledger" not in asked.stderr
    async with follower(vhost.amqp_url) as reader:
        await reader.catch_up()
        acts = [each for each in reader.events if isinstance(each, Retired | Redriven | Acted)]
    assert [(type(each).__name__, each.by) for each in acts] == [("Retired", "ada"), ("Acted", "ada"), ("Acted", "ada")]
    assert SECRET not in str(acts)
