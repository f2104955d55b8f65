"""What operators begin in the console: bounded for each person, told of where it breaks off, whatever the reason."""

import asyncio
from typing import Any

import pytest

from broker_setup.operator.parked.selection import Selection
from gateway.console.pages import jobs as console_jobs
from gateway.console.pages.jobs import MOST_JOBS, MOST_UNDER_WAY, Job, Jobs, Stage, Verb
from gateway.console.pages.people import Visitor
from tests.support.console import Desk, console_settings, form_token_in
from tests.support.waiting import eventually

ANN, BOB = Visitor("ann", acts=True, queues=None), Visitor("bob", acts=True, queues=None)


def begin(jobs: Jobs, visitor: Visitor) -> Job | None:
    return jobs.begin(visitor, Verb.REDRIVE, Selection(), "all", "", although_told=False)


def short_of_files(*_: object, **__: object) -> Any:
    raise OSError(24, "Too many open files")


async def test_a_job_that_fails_in_a_way_nobody_thought_of_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_jobs, "ParkedMessages", short_of_files)
    jobs = Jobs(console_settings())
    job = begin(jobs, ANN)
    assert job
    await eventually(lambda: job.stage is Stage.BROKEN_OFF)
    assert job.problem == "unexpected error: OSError"


async def test_one_person_has_so_many_under_way_and_takes_no_place_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_jobs, "ParkedMessages", short_of_files)
    jobs = Jobs(console_settings())
    bobs = begin(jobs, BOB)
    assert bobs
    for _ in range(MOST_UNDER_WAY):
        assert begin(jobs, ANN)
    assert begin(jobs, ANN) is None
    await eventually(lambda: not any(job.is_under_way for job in jobs.all_of(ANN)))
    for _ in range(2 * MOST_JOBS):
        newest = begin(jobs, ANN)
        assert newest
        await eventually(lambda: not any(job.is_under_way for job in jobs.all_of(ANN)))
    assert len(jobs.all_of(ANN)) == MOST_JOBS
    assert jobs.of(bobs.id, BOB) is bobs
    await jobs.stop()


async def test_what_is_confirmed_is_under_way_as_what_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_jobs, "ParkedMessages", short_of_files)
    jobs = Jobs(console_settings())
    counted = []
    for _ in range(MOST_UNDER_WAY + 1):
        job = begin(jobs, ANN)
        assert job
        await eventually(lambda: not any(each.is_under_way for each in jobs.all_of(ANN)))
        job.stage = Stage.COUNTED
        counted.append(job)
    assert [jobs.carry_out(job) for job in counted] == [True] * MOST_UNDER_WAY + [False]
    assert counted[-1].stage is Stage.COUNTED
    await jobs.stop()


@pytest.mark.parametrize("stage", [Stage.COUNTING, Stage.DOING, Stage.DONE])
async def test_who_sees_one_queue_is_not_told_how_much_is_parked_in_all(stage: Stage) -> None:
    desk = Desk()
    for name, sees_all in (("ada", True), ("quinn", False)):
        visitor = Visitor(name, acts=True, queues=None if sees_all else frozenset({"other"}))
        job = Job("0" * 16, Verb.REDRIVE, name, name, Selection(), "all", "", although_told=False, stage=stage)
        job.tally.ready, job.tally.seen = 77_701, 77_702
        desk.console._jobs._jobs[job.id] = job
        assert desk.console._jobs.of(job.id, visitor) is job
        async with desk.logged_in(name) as browser:
            page = (await browser.get(f"/parked/jobs/{job.id}")).text
        assert ("7770" in page) is (sees_all and job.is_under_way)


async def test_a_page_that_was_open_while_the_session_was_renewed_still_acts() -> None:
    desk = Desk()
    async with desk.logged_in("ada") as ada:
        form = {"form_token": form_token_in(await ada.get("/")), "verb": "redrive"}
        async with desk.logged_in("ada") as renewed:
            ada.cookies = renewed.cookies
            await asyncio.sleep(0)
            assert (await ada.post("/parked/jobs", data=form)).status_code == 400  # nothing is ticked: it was read
