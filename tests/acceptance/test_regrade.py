"""Archived submissions are graded again by a changed grader: the differences are the right ones, the LMS hears nothing.

REGRADE=1000 for the full number.
"""

import asyncio
import csv
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from broker_setup.operator.setup.declare import declare
from tests.support.archive import ArchiveOperator, archived_topology, body_of, publish, reply_of, sent_work
from tests.support.broker import VHost
from tests.support.fleet import Fleet, fleet
from tests.support.gateway import SECRET_KEY, Gateway
from tests.support.grading import grading
from tests.support.lms import FakeLMS, running_lms
from tests.support.operator import begun
from tests.support.relay import running_relay, settings_for
from tests.support.waiting import eventually
from xqueue_grader import Submission as Graded

REGRADE = int(os.environ.get("REGRADE", "50"))
POLLS = 8


def number_in(body: str) -> int:
    return int(json.loads(body)["student_response"].removeprefix("work "))


def old_score(number: int) -> float:
    return (number % 5) / 4


def new_score(number: int) -> float | None:
    """What the changed grader gives: a third of the students more, some less, and one of them nothing at all."""
    if number == 1:
        return None
    if number % 3 == 0:
        return old_score(number) + 0.25
    return old_score(number) / 2 if number % 7 == 0 else old_score(number)


@dataclass
class Site:
    """A gateway, a relay in this process and an LMS, where `openedx` is archived."""

    operator: ArchiveOperator
    lms: FakeLMS
    graders: Fleet

    async def command(self, *arguments: str) -> Any:
        ran = await asyncio.to_thread(self.operator.run, *arguments, "--json", SECRET_KEY=SECRET_KEY)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    async def written(self) -> None:
        ran = await asyncio.to_thread(self.operator.run, "archive", "write", "--once", SECRET_KEY=SECRET_KEY)
        assert ran.returncode == 0, ran.stderr

    @asynccontextmanager
    async def pull_graders(self, score: Any, queue: str = "openedx") -> AsyncIterator[None]:
        """Grade for as long as the block runs; what is taken is answered, or its lease would hold it for a minute."""
        is_over = asyncio.Event()

        async def grade() -> None:
            while not is_over.is_set():
                if work := await self.graders.take(queue):
                    await self.graders.put(work, reply_of(score(number_in(work["xqueue_body"]))).decode())

        async with asyncio.TaskGroup() as together:
            for _ in range(POLLS):
                together.create_task(grade())
            try:
                yield
            finally:
                is_over.set()


@pytest.fixture
async def site(vhost: VHost, tmp_path: Path) -> AsyncIterator[Site]:
    await asyncio.to_thread(declare, vhost.amqp_url, archived_topology())
    operator = ArchiveOperator(vhost.amqp_url, tmp_path / "archive")
    settings = settings_for(
        vhost.amqp_url,
        secret_key=SECRET_KEY,
        retry_delays=(0.3, 1, 3600),
        queue_options={"openedx": {"archive": True}},
    )
    queues = {"openedx": None, "trial": None}
    more = {"XQUEUE_MAX_ATTEMPTS": "1", "XQUEUE_NOTICE_GRACE": "3600", "XQUEUE_RETRY_DELAYS": "[0.3, 1, 3600]"}
    gateway = Gateway(vhost.amqp_url, tmp_path, queues=queues, settings=more)
    await asyncio.to_thread(gateway.start)
    try:
        async with running_lms() as lms, fleet(gateway.url) as graders, running_relay(settings):
            yield Site(operator, lms, graders)
    finally:
        await asyncio.to_thread(gateway.kill)


async def test_a_changed_graders_differences_are_printed_and_the_lms_sees_no_request(
    site: Site, tmp_path: Path
) -> None:
    headers = [site.lms.header(f"key {number}", path=f"/{number}/score_update") for number in range(REGRADE)]

    async def submit(todo: Iterator[tuple[int, str]]) -> None:
        for number, header in todo:
            data = {"xqueue_header": header, "xqueue_body": body_of(number)}
            assert (await site.graders.call("POST", "submit/", data=data))[0] == 0

    todo = enumerate(headers)
    await asyncio.gather(*(submit(todo) for _ in range(POLLS)))
    async with site.pull_graders(old_score):
        await site.lms.wait_accepted(REGRADE, within=60 + REGRADE / 5)
    await site.written()

    expected = await site.command("regrade", "openedx", "--to", "trial")
    assert (expected["submissions"], expected["to_do"]) == (REGRADE, REGRADE)

    async def grade(submission: Graded) -> bytes:
        score = new_score(number_in(submission.body))
        if score is None:
            raise ValueError("this one is too hard")
        return reply_of(score)

    table = tmp_path / "scores.csv"
    async with grading(site.operator.amqp_url, grade, queues=("trial",)):
        told = await site.command("regrade", "openedx", "--to", "trial", "--yes", "--csv", str(table))

    wanted = {number: (old_score(number), new_score(number)) for number in range(REGRADE)}
    rows = {int(row["callback_url"].split("/")[3]): row for row in told["rows"]}
    assert {number: (row["old_score"], row["new_score"]) for number, row in rows.items()} == wanted
    assert rows[1]["note"] == "now: no grader could finish it"
    differences = [round(new - old, 6) for old, new in wanted.values() if new is not None]
    up, down = sum(each > 0 for each in differences), sum(each < 0 for each in differences)
    assert (told["up"], told["down"], told["without_score"]) == (up, down, 1)
    assert told["changed"] == up + down + 1
    assert told["regraded"] == told["submissions"] == REGRADE
    with table.open(newline="") as file:
        in_csv = {int(row["callback_url"].split("/")[3]): row["difference"] for row in csv.DictReader(file)}
    assert in_csv == {n: "" if new is None else f"{round(new - old, 6):g}" for n, (old, new) in wanted.items()}

    # Again by its name: there is nothing to do, and the same comes out. And the archive has no copy, nor what came.
    again = await site.command("regrade", "openedx", "--run", told["run"])
    assert again == told
    await site.written()
    stock = (await site.command("archive", "show"))["queues"][0]
    assert (stock["submissions"], stock["results"]) == (REGRADE, REGRADE)
    assert len(site.lms.received) == REGRADE


async def test_a_regrade_among_students_work_that_is_killed_goes_on_and_touches_nothing_of_theirs(site: Site) -> None:
    operator = site.operator
    works = [sent_work(number, secret=SECRET_KEY) for number in range(24)]
    await asyncio.to_thread(publish, operator.amqp_url, works)
    # Graded before there was any relay or LMS, as far as this test goes.
    await site.written()
    await asyncio.to_thread(
        operator.run, "retire", "openedx", "--before", "0s", "--silent", "--yes", SECRET_KEY=SECRET_KEY
    )

    command = ["regrade", "openedx", "--run", "mended", "--at-once", "4", "--yes"]
    patience = ["--patience", "20"]
    process = await begun(*command, **operator.settings() | {"SECRET_KEY": SECRET_KEY})
    found = operator.folder / "_regrades" / "mended"
    try:
        async with site.pull_graders(new_score):
            await eventually(lambda: found.is_dir() and len(list(found.iterdir())) > 6)
    finally:
        await process.kill()
    header = site.lms.header("a student's", path="/7/score_update")
    data = {"xqueue_header": header, "xqueue_body": body_of(7)}
    assert (await site.graders.call("POST", "submit/", data=data))[0] == 0

    async with site.pull_graders(old_score):
        told = await site.command("regrade", "openedx", "--run", "mended", "--yes", *patience)
        [callback] = await site.lms.wait_accepted(1)
    assert json.loads(callback.xqueue_body)["score"] == old_score(7)
    assert told["regraded"] == told["submissions"] == len(works)
    assert {row["submission"] for row in told["rows"]} == {each.uuid for each in works}
    assert [row["note"] for row in told["rows"] if not row["note"].startswith("before: no result")] == []
    assert len(site.lms.received) == 1
