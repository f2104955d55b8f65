"""What becomes of a callback that fails: it is tried again, in which order, and parked in the end."""

import asyncio
import logging
from itertools import pairwise

import pytest

from broker_setup.ledger.events import Discarded
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED, retry_queue
from broker_setup.wire.parked import PARKED_ORIGIN_HEADER, PARKED_QUEUE_HEADER, PARKED_REASON_HEADER
from broker_setup.wire.properties import TRIES_HEADER
from tests.support.broker import VHost
from tests.support.ledger import follower
from tests.support.lms import Answer, FakeLMS
from tests.support.relay import (
    BESIDE,
    FREE_FORM,
    REPLY,
    RUNGS,
    STRANGE,
    Results,
    beside_others,
    results_at,
    running_relay,
    settings_for,
)
from tests.support.waiting import eventually


async def test_a_failed_callback_is_tried_again_rung_by_rung(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    plan = iter((500, 404, 201, 429))
    lms.answer = lambda callback: Answer(next(plan, 200) if callback.path == FREE_FORM else 200)
    async with running_relay(settings), beside_others(results, lms):
        await results.put(lms.header(path=FREE_FORM), STRANGE)
        await eventually(lambda: [each for each in lms.accepted if each.path == FREE_FORM])
    tries = [callback for callback in lms.received if callback.path == FREE_FORM]
    assert len({callback.body for callback in tries}) == 1
    waits = [later.at - earlier.at for earlier, later in pairwise(tries)]
    # By chance each is on the rung below.
    rungs = [RUNGS[0], RUNGS[0], RUNGS[1], RUNGS[1]]
    assert all(wait >= rung * 0.9 for wait, rung in zip(waits, rungs, strict=True)), waits


@pytest.mark.parametrize("status", [302, 400, 403, 404, 410, 201])
async def test_a_refused_callback_is_parked_after_a_few_tries(
    vhost: VHost, results: Results, lms: FakeLMS, status: int
) -> None:
    """One URL's refusals, beside others that are taken."""
    lms.answer = lambda callback: Answer(200 if callback.path.startswith(BESIDE) else status)
    async with running_relay(settings_for(vhost.amqp_url, max_number_of_failures=3)), beside_others(results, lms):
        await results.put(lms.header())
        parked = await results.parked()
    assert f"answered {status}" in str(parked.headers[PARKED_REASON_HEADER])
    assert parked.headers[TRIES_HEADER] == 3
    assert parked.headers[PARKED_ORIGIN_HEADER] == lms.origin
    assert parked.headers[PARKED_QUEUE_HEADER] == "openedx"
    # Without the notice, by which its student is told.
    tries = [each for each in lms.received if not each.path.startswith(BESIDE) and each.xqueue_body == REPLY]
    assert len(tries) == 3


@pytest.mark.parametrize("status", [302, 401, 403, 404, 413])
async def test_what_a_whole_site_refuses_waits_until_somebody_has_mended_it(
    vhost: VHost, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """All were parked within two minutes, and stayed so when it was mended."""
    answer = Answer(status, headers={"Location": "https://elsewhere.example/login"} if status == 302 else {})
    lms.always(answer)
    async with running_relay(settings_for(vhost.amqp_url, max_number_of_failures=2)):
        await results.put_many([lms.header(f"key {number}") for number in range(40)])
        # Beyond those that were under way when it got sick there are probes, enough to have parked some.
        await lms.wait_received(40)
        await asyncio.sleep(1.0)
        assert await results.waiting(RESULTS_PARKED) == 0
        lms.always(200)
        await lms.wait_accepted(40)
        await results.rest(settings_for(vhost.amqp_url))
    [said] = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert f"{lms.origin} refuses every callback: answered {status}" in said
    assert ("https://elsewhere.example/login" in said) == (status == 302)
    assert [record for record in caplog.records if "is back" in record.getMessage()]


async def test_the_good_results_of_an_lms_do_not_wait_for_the_broken_ones_before_them(
    vhost: VHost, lms: FakeLMS
) -> None:
    """A deleted problem is answered 500, whoever's result it is: the whole LMS was taken for away, for hours.

    How quick it is the simulation measures; here it is compared with rungs that are longer than anybody waits.
    """
    lms.answer = lambda callback: Answer(500 if callback.path.startswith("/broken/") else 200)
    settings = settings_for(
        vhost.amqp_url, retry_delays=(0.5, 2.0, 60.0), callback_concurrency=64, callback_concurrency_per_origin=16
    )
    async with results_at(settings) as results:
        await results.put_many([lms.header(f"broken {n}", path=f"/broken/{n}") for n in range(60)])
        await results.put_many([lms.header(f"good {n}", path=f"/good/{n}") for n in range(60)])
        async with running_relay(settings, until_idle=False):
            await lms.wait_accepted(60, within=90)


async def test_a_students_second_submission_does_not_wait_for_the_first_whose_result_fails(
    vhost: VHost, lms: FakeLMS
) -> None:
    lms.answer = lambda callback: Answer(500 if callback.lms_key == "first" else 200)
    settings = settings_for(vhost.amqp_url, retry_delays=(60.0,))
    async with results_at(settings) as results, running_relay(settings, until_idle=False):
        await results.put(lms.header("first", path="/same"))
        await lms.wait_received(1)
        await results.put(lms.header("second", path="/same"))
        [callback] = await lms.wait_accepted(1)
    assert callback.lms_key == "second"


async def test_an_older_submissions_result_is_given_up_when_it_fails_once_more_after_a_newer_ones(
    vhost: VHost, results: Results, lms: FakeLMS
) -> None:
    lms.answer = lambda callback: Answer(500 if callback.lms_key == "older" else 200)
    settings = settings_for(vhost.amqp_url, supersede_min_age=0)
    async with (
        running_relay(settings),
        follower(vhost.amqp_url) as ledger,
        beside_others(results, lms),
    ):
        older = await results.put(lms.header("older", path="/same"))
        await lms.wait_received(1)
        await asyncio.sleep(1.1)  # what is sealed says when to the second
        await results.put(lms.header("newer", path="/same"))
        async with asyncio.timeout(20):
            while not [event for event in ledger.events if isinstance(event, Discarded)]:
                await ledger.catch_up()
    [event] = [event for event in ledger.events if isinstance(event, Discarded)]
    assert event.submission.hex() == older
    assert "a newer submission's result has come" in event.reason
    assert await results.waiting(RESULTS_PARKED) == 0


async def test_a_callback_that_fails_for_too_long_is_parked(vhost: VHost, results: Results, lms: FakeLMS) -> None:
    lms.always(503)
    # Messages say to the second since when they fail: it is 2 to 3 s.
    async with running_relay(settings_for(vhost.amqp_url, callback_max_age=3)):
        await results.put(lms.header())
        parked = await results.parked()
    assert str(parked.headers[PARKED_REASON_HEADER]).startswith("answered 503; failing for")
    assert len(lms.received) > 3


async def test_results_of_one_url_arrive_in_their_order_though_the_first_fails(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    lms.next_answers(503, 503, 503)
    async with running_relay(settings):
        uuid = await results.put(lms.header(path="/same"), b"first")
        await results.put(lms.header(path="/same"), b"amended", submission=uuid, amendment=1)
        await results.put(lms.header(path="/same"), b"of another submission")
        accepted = await lms.wait_accepted(3)
    bodies = [callback.xqueue_body for callback in accepted]
    assert [body for body in bodies if body != b"of another submission"] == [b"first", b"amended"]
    assert lms.most_under_way == 1


async def test_an_lms_that_is_down_gets_the_result_when_it_is_back(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    header = lms.header()
    await lms.stop()
    async with running_relay(settings):
        await results.put(header)
        await _comes_to_a_rung(results)
        await lms.start()
        assert [callback.xqueue_body for callback in await lms.wait_accepted(1)] == [REPLY]


async def test_an_lms_that_does_not_answer_in_time_is_tried_again(vhost: VHost, results: Results, lms: FakeLMS) -> None:
    lms.next_answers(Answer(delay=5))
    async with running_relay(settings_for(vhost.amqp_url, requests_timeout=0.3)):
        await results.put(lms.header())
        first, second = await lms.wait_received(2)
    assert 0.3 <= second.at - first.at < 3


async def _comes_to_a_rung(results: Results) -> None:
    async with asyncio.timeout(60):
        while not [rung for rung in RUNGS if await results.waiting(retry_queue(rung))]:
            await asyncio.sleep(0.01)
