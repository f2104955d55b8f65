"""A relay that has no descriptors left: no LMS is to blame, and each result waits and goes again."""

import errno
import logging
from collections.abc import AsyncIterator

import pytest
from yarl import URL

from callback_relay.callback import Callback
from callback_relay.evidence import SUSPECTS
from callback_relay.outcome import Answered, NotMade, Outcome
from callback_relay.poster import Poster, poster_for
from callback_relay.reason import Slug
from callback_relay.results_consumer import ConsumerState
from tests.support.broker import VHost
from tests.support.lms import FakeLMS
from tests.support.metrics import shown_by
from tests.support.relay import results_at, running_relay, settings_for
from tests.support.shortages import no_descriptors
from tests.support.waiting import eventually

NUMBER = 3 * SUSPECTS


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    async with poster_for(settings_for("amqp://127.0.0.1")) as opened:
        yield opened


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "lms.invalid"])
async def test_without_a_descriptor_no_callback_is_made_whoever_is_called(poster: Poster, host: str) -> None:
    with no_descriptors():
        outcome = await poster.post(Callback(URL(f"http://{host}:1/x"), b"{}", b""))
    assert isinstance(outcome, NotMade), outcome
    assert outcome.reason.slug == Slug.OURS
    assert "too many open files" in outcome.reason.text


async def test_results_wait_for_descriptors_and_their_lms_stays_well(
    vhost: VHost, lms: FakeLMS, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "callback_relay")
    settings = settings_for(vhost.amqp_url)
    async with results_at(settings) as results, running_relay(settings) as relay:
        await eventually(lambda: relay._consumer.state is ConsumerState.WORKING, 60)
        with no_descriptors():
            await results.put_many([lms.header(f"key {number}") for number in range(NUMBER)])
            ours = (lms.origin, Slug.OURS.value)
            counted = "xqueue_relay_retried_total"
            await eventually(lambda: shown_by(relay._metrics.registry)[counted].get(ours, 0) >= NUMBER, 60)
            said = shown_by(relay._metrics.registry)
            # One line for all, and nothing that is held against the LMS.
            [line] = [said.getMessage() for said in caplog.records if said.name.startswith("callback_relay")]
            assert "too many open files" in line
            assert "no LMS's fault" in line
            assert said[counted].keys() == {ours}
            assert not said["xqueue_relay_callback_seconds_count"]
            assert not relay._schedule.paces[lms.origin].is_sick
        await lms.wait_accepted(NUMBER, within=60)
    assert not shown_by(relay._metrics.registry)["xqueue_relay_parked_total"]


async def test_a_callback_is_made_again_once_there_are_descriptors(poster: Poster, lms: FakeLMS) -> None:
    callback = Callback(URL(f"{lms.origin}/x"), b"{}", b"")
    with no_descriptors():
        assert isinstance(await poster.post(callback), NotMade)
    assert isinstance(await poster.post(callback), Answered)


async def test_a_result_for_which_there_was_no_thread_or_no_memory_goes_again(
    vhost: VHost, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = [RuntimeError("can't start new thread"), MemoryError(), OSError(errno.ENFILE, "")]
    settings = settings_for(vhost.amqp_url)
    async with results_at(settings) as results, running_relay(settings) as relay:
        post = relay._ways._poster.post

        async def sometimes(callback: Callback) -> Outcome:
            if lacking:
                raise lacking.pop()
            return await post(callback)

        monkeypatch.setattr(relay._ways._poster, "post", sometimes)
        await results.put(lms.header())
        await lms.wait_accepted(1, within=60)
        assert not lacking
        assert not shown_by(relay._metrics.registry)["xqueue_relay_parked_total"]
