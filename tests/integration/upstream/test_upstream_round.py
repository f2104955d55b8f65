"""From the real edx-submissions to an AMQP grader here, and back: graded here and scored there once, whatever fails."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import SecretStr

from gateway.upstream.process import UpstreamProcess
from gateway.upstream.room import Room
from tests.support.broker import VHost
from tests.support.broker_users import broker_users
from tests.support.lms_site import LmsSite
from tests.support.pausing import pause, resume
from tests.support.relay import running_relay
from tests.support.upstream import QUEUE, running_grader, running_upstream, settings_for, upstream_process
from tests.support.waiting import eventually

Became = tuple[str, list[int]]
SCORED: Became = ("retired", [7])
HANDED_OUT: Became = ("pulled", [])
WAITING: Became = ("pending", [])


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What each look said that has ended: whether there is room."""
    said: list[bool] = []
    look = Room.is_there

    async def noted(room: Room) -> bool:
        said.append(await look(room))
        return said[-1]

    monkeypatch.setattr(Room, "is_there", noted)
    return said


async def five_more(looks: list[bool]) -> None:
    """Wait for five looks that found no room, and for what came before them to be done."""
    before = len(looks)
    await eventually(lambda: len(looks) >= before + 6)
    assert not any(looks[before + 1 :])


async def all_scored(site: LmsSite, ids: Sequence[int]) -> None:
    async def are_scored() -> bool:
        return await asyncio.to_thread(site.became, ids) == [SCORED] * len(ids)

    await eventually(are_scored)


async def test_what_students_hand_in_there_is_graded_here_and_scored_there_once(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    answers = [f"print({number})" for number in range(12)]
    ids = site.submit(*answers, queue=there, files={"a b.py": "x"})
    before = site.look()
    async with running_grader(settings) as grader, running_relay(settings), running_upstream(settings):
        await all_scored(site, ids)
    assert sorted(grader.answers()) == sorted(answers)
    after = site.look()
    assert after["puts"] - before["puts"] == len(ids)
    assert after["logins"] - before["logins"] == 2  # the relay, and who takes
    for work in grader.given:
        assert work["xqueue_files"]["a b.py"].startswith(site.url.replace("/xqueue", "/media/"))


async def test_the_broker_user_of_gateways_has_all_the_rights_that_it_takes(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    ids = site.submit("print(1)", queue=there)
    with broker_users(vhost, {}, {QUEUE: "amqp"}) as users:
        urls = await asyncio.to_thread(users.set_up)
        settings = settings_for(vhost.amqp_url, site, there)
        of_gateways = settings.model_copy(update={"amqp_url": SecretStr(urls["gateway"])})
        async with running_grader(settings), running_relay(settings), running_upstream(of_gateways):
            await all_scored(site, ids)


async def test_a_score_in_points_is_a_ratio_there_and_none_beyond_what_can_be_stored(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    ids = site.submit("4", "10", "25", "-3", queue=there, points=100)
    async with running_grader(settings) as grader, running_relay(settings), running_upstream(settings):
        grader.score = int
        await eventually(lambda: [scores for _, scores in site.became(ids)] == [[40], [100], [100], [0]])


async def test_no_more_is_taken_than_graders_have_room_for(
    vhost: VHost, site: LmsSite, there: str, looks: list[bool]
) -> None:
    settings = settings_for(vhost.amqp_url, site, there, upstream_ahead=2)
    ids = site.submit(*map(str, range(6)), queue=there)
    async with running_grader(settings) as grader, running_relay(settings), running_upstream(settings):
        grader.goes_on.clear()
        await eventually(lambda: site.became(ids)[2] == HANDED_OUT)
        await five_more(looks)
        assert site.became(ids) == [HANDED_OUT] * 3 + [WAITING] * 3
        grader.goes_on.set()
        await all_scored(site, ids)


async def test_nothing_is_taken_while_nobody_grades(vhost: VHost, site: LmsSite, there: str, looks: list[bool]) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    async with running_grader(settings):
        pass
    ids = site.submit("print(1)", queue=there)
    async with running_upstream(settings) as upstream:
        await eventually(lambda: upstream._standing().is_ready)
        await five_more(looks)
    assert site.became(ids) == [WAITING]


async def test_what_is_handed_out_again_while_it_is_being_graded_is_graded_once(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    ids = site.submit("print(1)", queue=there)
    async with running_grader(settings) as grader, running_relay(settings), running_upstream(settings) as upstream:
        grader.goes_on.clear()
        await eventually(lambda: grader.given)
        site.let_leases_run_out()
        await eventually(lambda: repeats(upstream, there))
        grader.goes_on.set()
        await all_scored(site, ids)
    assert grader.answers() == ["print(1)"]


async def test_who_is_killed_takes_nothing_along_and_what_was_taken_is_graded_once(
    vhost: VHost, site: LmsSite, there: str, tmp_path: Path
) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    ids = site.submit("first", queue=there)
    async with running_grader(settings) as grader, running_relay(settings):
        grader.goes_on.clear()
        async with upstream_process(settings, tmp_path / "killed") as killed:
            # The ledger knows of it by then.
            await eventually(lambda: grader.given and " taken for queue " in killed.log)
            await killed.kill()
        site.let_leases_run_out()
        async with running_upstream(settings) as upstream:
            await eventually(lambda: repeats(upstream, there))
            ids += site.submit("second", queue=there)
            grader.goes_on.set()
            await all_scored(site, ids)
    assert grader.answers() == ["first", "second"]


async def test_what_was_handed_out_to_somebody_who_died_of_it_comes_when_its_time_is_over(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    ids = site.submit("print(1)", queue=there)
    # It stands there as if somebody had been killed right after the answer.
    async with UpstreamProcess(settings)._upstreams.sessions(1) as sessions:
        await sessions["lms"].get("get_submission/", {"queue_name": there})
    assert site.became(ids) == [HANDED_OUT]
    async with running_grader(settings) as grader, running_relay(settings), running_upstream(settings):
        site.let_leases_run_out()
        await all_scored(site, ids)
    assert grader.answers() == ["print(1)"]


async def test_results_wait_for_an_upstream_that_is_away_and_work_is_taken_when_it_is_back(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    ids = site.submit("first", "second", queue=there)
    async with running_grader(settings) as grader, running_relay(settings), running_upstream(settings) as upstream:
        grader.goes_on.clear()
        await eventually(lambda: site.became(ids) == [HANDED_OUT] * 2)
        site.stop()
        try:
            grader.goes_on.set()
            await eventually(lambda: len(grader.given) == 2)
            await eventually(lambda: failures(upstream, there))
        finally:
            site.start()
        ids += site.submit("third", queue=there)
        await all_scored(site, ids)
    assert grader.answers() == ["first", "second", "third"]


async def test_a_result_that_is_there_though_its_answer_came_too_late_is_done_when_others_are_taken(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    settings = settings_for(vhost.amqp_url, site, there, requests_timeout=2.0)
    ids = site.submit("first", queue=there)
    async with (
        running_grader(settings) as grader,
        running_relay(settings) as relay,
        running_upstream(settings) as upstream,
    ):
        site.be_slow(4.0)
        await all_scored(site, ids)
        await eventually(lambda: relay._ways._put_results._unanswered)
        site.be_slow(0)
        # What comes after it shows that the 500 by which it is answered from now on is its own.
        ids += site.submit("second", queue=there)
        await all_scored(site, ids)
        await eventually(lambda: all(upstream._taken_before._known.values()))
    assert grader.answers() == ["first", "second"]


async def test_a_paused_queue_takes_no_work(vhost: VHost, site: LmsSite, there: str, looks: list[bool]) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    ids = site.submit("print(1)", queue=there)
    async with running_grader(settings), running_relay(settings):
        await pause(vhost.amqp_url, QUEUE)
        async with running_upstream(settings) as upstream:
            await eventually(lambda: upstream._standing().is_ready)
            await five_more(looks)
            assert site.became(ids) == [WAITING]
            await resume(vhost.amqp_url, QUEUE)
            await all_scored(site, ids)


async def test_sessions_that_end_there_are_begun_anew(vhost: VHost, site: LmsSite, there: str) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    async with running_grader(settings), running_relay(settings), running_upstream(settings):
        ids = site.submit("first", queue=there)
        await all_scored(site, ids)
        site.end_sessions()
        ids += site.submit("second", queue=there)
        await all_scored(site, ids)


async def test_what_an_upstream_lost_after_it_took_the_result_is_graded_once_more(
    vhost: VHost, site: LmsSite, there: str
) -> None:
    settings = settings_for(vhost.amqp_url, site, there)
    ids = site.submit("print(1)", queue=there)
    async with running_grader(settings) as grader, running_relay(settings), running_upstream(settings) as upstream:
        await all_scored(site, ids)
        await eventually(lambda: any(upstream._taken_before._known.values()))
        site.forget(ids)
        await all_scored(site, ids)
    assert grader.answers() == ["print(1)", "print(1)"]


def repeats(upstream: UpstreamProcess, there: str) -> float:
    return counted(upstream, "repeats", there)


def failures(upstream: UpstreamProcess, there: str) -> float:
    return counted(upstream, "failures", there)


def counted(upstream: UpstreamProcess, what: str, there: str) -> float:
    labels = {"upstream": "lms", "queue": there}
    return upstream._metrics.registry.get_sample_value(f"xqueue_upstream_{what}_total", labels) or 0.0
