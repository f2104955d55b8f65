"""A running relay's /metrics and /healthz, while results are delivered, tried again and parked."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from uuid import uuid4

import pytest

from broker_setup.settings import Settings
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from callback_relay.evidence import SUSPECTS
from callback_relay.relay import Relay
from tests.support.broker import VHost
from tests.support.lms import Answer, FakeLMS, running_lms
from tests.support.metrics import Shown, asked, scraped
from tests.support.relay import REPLY, Results, results_at, running_relay, settings_for
from tests.support.waiting import eventually

STATE = "xqueue_relay_state"
WORKING = {("working",): 1, ("standing_by",): 0, ("trying",): 0}
STANDING_BY = {("working",): 0, ("standing_by",): 1, ("trying",): 0}
TRYING = {("working",): 0, ("standing_by",): 0, ("trying",): 1}


@pytest.fixture
def settings(vhost: VHost) -> Settings:
    return settings_for(vhost.amqp_url, metrics_port=0, max_number_of_failures=2)


@asynccontextmanager
async def watched_relay(settings: Settings, *, until_idle: bool = True) -> AsyncIterator[Relay]:
    async with running_relay(settings, until_idle=until_idle) as relay:
        await eventually(lambda: relay._endpoint.is_open)
        yield relay


async def seen(relay: Relay, condition: Callable[[Shown], bool], within: float = 60) -> Shown:
    """Scrape until the condition holds; fail with what was there last."""
    deadline = monotonic() + within
    while not condition(said := await scraped(f"{relay._endpoint.url}/metrics")):
        assert monotonic() < deadline, dict(said)
        await asyncio.sleep(0.02)
    return said


async def test_delivered_retried_and_parked_are_counted_by_lms_and_reason(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    async with watched_relay(settings) as relay, running_lms() as other:
        lms.next_answers(503)
        await results.put(lms.header())
        await lms.wait_accepted(1)
        other.answer = lambda callback: Answer(404 if callback.lms_key == "refused" else 200)
        await results.put(other.header("refused"))
        await other.wait_received(1)
        # It is that URL's own fault: another of its LMS is taken.
        await results.put(other.header("taken"))
        await results.put(lms.header(), sealed="forged")
        parked = {(other.origin, "status_404"): 1, ("unknown", "return_address"): 1}
        said = await seen(relay, lambda said: said["xqueue_relay_parked_total"] == parked)
        # All that the LMS got is counted, the student's notice that follows what was parked too.
        tried = "xqueue_relay_callback_seconds_count"
        await seen(relay, lambda said: said[tried] == {(lms.origin,): 2, (other.origin,): len(other.received)})
    assert said["xqueue_relay_delivered_total"] == {(lms.origin,): 1, (other.origin,): 1}
    # How often it was tried before the other one was taken is a matter of chance.
    retried = said["xqueue_relay_retried_total"]
    assert retried.keys() == {(lms.origin, "status_503"), (other.origin, "status_404")}
    assert retried[lms.origin, "status_503"] == 1
    bodies = [each.xqueue_body for each in other.received if each.lms_key == "refused"]
    # The last try is not followed by a wait; the notice may be, and may be counted by then.
    assert bodies.count(REPLY) - 1 <= retried[other.origin, "status_404"] <= len(bodies) - 1
    assert said["xqueue_relay_delivery_seconds_count"] == {(): 2}


async def test_a_result_that_was_delivered_before_is_a_repeat(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    async with watched_relay(settings) as relay:
        uuid = await results.put(lms.header())
        await lms.wait_accepted(1)
        await results.put(lms.header(), submission=uuid)
        said = await seen(relay, lambda said: said["xqueue_relay_repeats_total"] == {(lms.origin,): 1})
    assert said["xqueue_relay_delivered_total"] == {(lms.origin,): 1}


async def test_an_lms_that_is_away_shows_as_sick_and_is_back_when_it_answers(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    async with watched_relay(settings) as relay:
        await lms.stop()
        await results.put_many([lms.header(f"key {number}") for number in range(SUSPECTS)])
        said = await seen(relay, lambda said: said["xqueue_relay_origins"].get((lms.origin, "sick")) == 1)
        assert said["xqueue_relay_origins"][lms.origin, "ok"] == 0
        # Counted when the broker has confirmed the copy on the rung.
        failed = (lms.origin, "no_connection")
        await seen(relay, lambda said: said["xqueue_relay_retried_total"].get(failed, 0) >= 1)
        await lms.start()
        await lms.wait_accepted(SUSPECTS)
        # Nothing of it is left, and it is well: there is nothing to show.
        await seen(relay, lambda said: not said["xqueue_relay_origins"] and not said["xqueue_relay_results"])


async def test_results_show_where_they_are_and_how_old_the_oldest_is(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    # The one that hangs is under way for as long as this looks.
    one_at_a_time = settings.model_copy(
        update={"callback_concurrency_per_origin": 1, "retry_delays": (600.0,), "requests_timeout": 60.0}
    )
    async with results_at(one_at_a_time), watched_relay(one_at_a_time, until_idle=False) as relay:
        lms.next_answers(503, Answer(delay=60))
        await results.put(lms.header("to a rung"))
        await seen(relay, lambda said: said["xqueue_relay_results"].get((lms.origin, "on_rung")) == 1)
        uuid, an_hour_ago = uuid4().hex, datetime.now(UTC) - timedelta(hours=1)
        sealed = results.sealer.seal(ReturnAddress(uuid, lms.header("old")))
        await results.put_message(encode_result(Result(uuid, REPLY, sealed, graded_at=an_hour_ago)))
        await lms.wait_received(2)
        await results.put(lms.header("waits"))
        said = await seen(relay, lambda said: said["xqueue_relay_results"].get((lms.origin, "waiting")) == 1)
        assert said["xqueue_relay_results"] == {
            (lms.origin, "waiting"): 1,
            (lms.origin, "under_way"): 1,
            (lms.origin, "on_rung"): 1,
        }
        assert 3600 <= said["xqueue_relay_oldest_result_age_seconds"][()] < 3700


async def test_of_two_relays_one_says_that_it_works_and_one_that_it_stands_by(
    settings: Settings, results: Results
) -> None:
    async with watched_relay(settings) as works:
        await seen(works, lambda said: said[STATE] == WORKING)
        async with watched_relay(settings) as stands_by:
            await seen(stands_by, lambda said: said[STATE] == STANDING_BY)
            assert await asked(works._endpoint, "healthz") == await asked(works._endpoint, "readyz") == (200, "working")
            assert (
                await asked(stands_by._endpoint, "healthz")
                == await asked(stands_by._endpoint, "readyz")
                == (200, "standing_by")
            )
            works.stop()
            await seen(stands_by, lambda said: said[STATE] == WORKING)


async def test_without_a_broker_it_is_healthy_and_says_that_it_tries() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        nobody = settings_for(f"amqp://guest:guest@127.0.0.1:{unused.getsockname()[1]}/", metrics_port=0)
        async with watched_relay(nobody) as relay:
            said = await seen(relay, lambda said: said[STATE] == TRYING)
            assert said["xqueue_relay_broker_connection_up"] == {("consume",): 0, ("publish",): 0}
            assert await asked(relay._endpoint, "healthz") == (200, "trying")
            assert await asked(relay._endpoint, "readyz") == (503, "trying")


async def test_a_lost_connection_shows(settings: Settings, results: Results) -> None:
    async with watched_relay(settings) as relay:
        await seen(relay, lambda said: said["xqueue_relay_broker_connection_up"] == {("consume",): 1, ("publish",): 1})
        await seen(relay, lambda said: said[STATE] == WORKING)
        relay._source.drop("the test says so")
        await eventually(lambda: relay._reading().state.value == "trying")
        await seen(relay, lambda said: said[STATE] == WORKING)


async def test_a_taken_port_is_one_sentence_and_exit_code_1(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "callback_relay"),
            env=os.environ
            | {
                "XQUEUE_AMQP_URL": settings.amqp_url.get_secret_value(),
                "XQUEUE_SECRET_KEY": settings.secrets[0],
                "XQUEUE_METRICS_PORT": str(port),
                "XQUEUE_VALIDATE_RESULTS": "false",  # so that nothing is said of this Python's parsers
            },
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 1
    assert said.decode() == (
        f"xqueue-relay: METRICS_HOST, METRICS_PORT: can't listen on 127.0.0.1 port {port}: address already in use\n"
    )


async def test_without_a_port_nothing_listens(settings: Settings, results: Results, lms: FakeLMS) -> None:
    async with running_relay(settings.model_copy(update={"metrics_port": None})) as relay:
        await results.put(lms.header())
        await lms.wait_accepted(1)
        assert not relay._endpoint.is_open
