"""Parking and telling are two things: a student hears after the grace, once, and not where a redrive was quicker."""

import json
from collections import Counter

from broker_setup.amqp.messages import Arrival
from broker_setup.operator.parked.redriving import ParkedMessages
from broker_setup.operator.parked.selection import Selection, Tally
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.parked import Kind, read_parked
from callback_relay.relay import Relay
from tests.support.broker import VHost
from tests.support.lms import Answer, Callback, FakeLMS
from tests.support.operator import begun
from tests.support.relay import BESIDE, REPLY, SECRET, Results, beside_others, results_at, running_relay, settings_for
from tests.support.service_process import ServiceProcess
from tests.support.waiting import eventually

HOUR = 3600.0
LATER = "xqueue.notices.1h"
BAD = b"the grader's log instead of a reply"
MANY = 60


def of_itself(lms: FakeLMS, status: int, reply: bytes = REPLY) -> None:
    """Let the LMS answer `status` to this reply, and 200 to notices and to what comes beside: it is well."""

    def answer(callback: Callback) -> Answer:
        is_it = callback.xqueue_body == reply and not callback.path.startswith(BESIDE)
        return Answer(status if is_it else 200)

    lms.answer = answer


def not_beside(callbacks: list[Callback]) -> list[Callback]:
    return [each for each in callbacks if not each.path.startswith(BESIDE)]


def told(relay: Relay, lms: FakeLMS) -> float | None:
    return relay._metrics.registry.get_sample_value("xqueue_relay_told_total", {"origin": lms.origin})


async def redrive(settings: Settings, *, although_told: bool = False) -> Tally:
    messages = ParkedMessages(
        settings, [Kind.RESULT], Selection(), although_told=although_told, progress=lambda _: None
    )
    await messages.redrive(rate=100, by="ned")
    return messages.tally


async def is_parked(results: Results, number: int = 1) -> bool:
    return await results.waiting(RESULTS_PARKED) == number


async def is_later(results: Results, number: int) -> bool:
    # What a command put back is ready a moment after its end.
    return await results.waiting(LATER) == number


async def the_parked(results: Results) -> Arrival:
    await eventually(lambda: is_parked(results))
    return await results.parked()


async def test_the_student_of_a_parked_result_is_told_once_when_the_grace_is_over_though_the_lms_is_away_just_then(
    vhost: VHost, lms: FakeLMS
) -> None:
    settings = settings_for(vhost.amqp_url, notice_grace=0.5)
    async with results_at(settings) as results, running_relay(settings) as relay:
        lms.next_answers(503)
        await results.put(lms.header(), BAD)
        parked = read_parked(await the_parked(results), Kind.RESULT)
        assert parked.parked_at
        assert parked.tell_at
        assert 0.4 < (parked.tell_at - parked.parked_at).total_seconds() <= 0.5
        [callback] = await lms.wait_accepted(1)
        await results.rest(settings)
        assert told(relay, lms) == 1
    assert callback.xqueue_body == failure_notice(settings.failure_message)
    assert len(lms.received) == 2


async def test_a_redrive_within_the_grace_reaches_the_lms_and_no_notice_does(vhost: VHost, lms: FakeLMS) -> None:
    settings = settings_for(vhost.amqp_url, notice_grace=HOUR, max_number_of_failures=1)
    async with results_at(settings) as results, running_relay(settings):
        of_itself(lms, 404)
        async with beside_others(results, lms):
            await results.put(lms.header())
            await eventually(lambda: is_parked(results))
        assert await results.waiting(LATER) == 1
        lms.always(200)
        tally = await redrive(settings)
        assert (tally.done, tally.told) == (1, 0)
        [callback] = await eventually(lambda: not_beside(lms.accepted))
        assert [await results.waiting(queue) for queue in (LATER, RESULTS_PARKED)] == [0, 0]
    assert callback.xqueue_body == REPLY


async def test_what_is_redriven_and_parked_again_begins_a_grace_anew(vhost: VHost, lms: FakeLMS) -> None:
    settings = settings_for(vhost.amqp_url, notice_grace=HOUR)
    async with results_at(settings) as results, running_relay(settings):
        await results.put(lms.header(), BAD)
        await eventually(lambda: is_parked(results))
        await redrive(settings)
        await eventually(lambda: is_parked(results))
        assert await results.waiting(LATER) == 1
    assert lms.received == []


async def test_after_its_student_was_told_a_result_is_redriven_only_although_that_is_so(
    vhost: VHost, lms: FakeLMS
) -> None:
    settings = settings_for(vhost.amqp_url, max_number_of_failures=1)
    of_itself(lms, 404)
    async with results_at(settings) as results, running_relay(settings), beside_others(results, lms):
        await results.put(lms.header())
        await eventually(lambda: is_parked(results))
        await eventually(lambda: not_beside(lms.accepted))
        tally = await redrive(settings)
        assert (tally.selected, tally.done, tally.told) == (0, 0, 1)
        tried = len(not_beside(lms.received))
        tally = await redrive(settings, although_told=True)
        assert (tally.done, tally.told) == (1, 1)
        # Parked again, and nobody is told again.
        await eventually(lambda: len(not_beside(lms.received)) > tried)
        assert read_parked(await the_parked(results), Kind.RESULT).redriven == 1
    assert [each.xqueue_body for each in not_beside(lms.accepted)] == [failure_notice(settings.failure_message)]


async def test_a_discarded_result_takes_its_notice_with_it_and_no_other(vhost: VHost, lms: FakeLMS) -> None:
    settings = settings_for(vhost.amqp_url, notice_grace=HOUR)
    async with results_at(settings) as results, running_relay(settings):
        uuids = [await results.put(lms.header(f"key-{number}"), BAD) for number in range(3)]
        await eventually(lambda: is_parked(results, 3))
        chosen = Selection(correlation_id=uuids[1])
        await ParkedMessages(settings, [Kind.RESULT], chosen, progress=lambda _: None).discard(
            "by hand", rate=100, by="ned"
        )
        await eventually(lambda: is_parked(results, 2))
        await eventually(lambda: is_later(results, 2))


async def test_what_is_too_large_for_the_lms_is_parked_and_its_student_told_at_once(vhost: VHost, lms: FakeLMS) -> None:
    settings = settings_for(vhost.amqp_url, notice_grace=HOUR)

    def nginx(callback: Callback) -> Answer:
        return Answer(413 if len(callback.body) > 1024 * 1024 else 200)

    lms.answer = nginx
    reply = json.dumps({"correct": True, "score": 1, "msg": f"<p>{'x' * 1_500_000}</p>"}).encode()
    async with results_at(settings) as results, running_relay(settings):
        await results.put(lms.header(), reply)
        [callback] = await lms.wait_accepted(1)
        parked = await the_parked(results)
    assert callback.xqueue_body == failure_notice(settings.failure_message)
    assert parked.body == reply
    about = read_parked(parked, Kind.RESULT)
    assert about.reason == "answered 413"
    assert about.tell_at
    assert about.is_told(about.tell_at)
    assert about.notice_queue == ""
    assert len(lms.received) == 2


async def test_a_redrive_that_is_killed_half_way_and_run_again_delivers_all_and_tells_nobody(
    vhost: VHost, lms: FakeLMS
) -> None:
    settings = settings_for(vhost.amqp_url, notice_grace=HOUR, max_number_of_failures=1, xqueues={"openedx": None})
    async with results_at(settings) as results, running_relay(settings):
        of_itself(lms, 404)
        keys = [f"key-{number}" for number in range(MANY)]
        async with beside_others(results, lms):
            await results.put_many([lms.header(key) for key in keys])
            await eventually(lambda: is_parked(results, MANY), 60)
        assert await results.waiting(LATER) == MANY
        lms.always(200)
        first = await redriving(vhost.amqp_url, rate=20)
        await eventually(lambda: len(not_beside(lms.accepted)) >= MANY // 6, 60)
        await first.kill()

        async def nothing_left() -> bool:
            # What the killed one had at hand comes back when the broker has noticed.
            if await results.waiting(RESULTS_PARKED):
                await (await redriving(vhost.amqp_url, rate=10_000)).ended()
                return False
            return (
                await results.waiting(LATER) == 0 and len({each.lms_key for each in not_beside(lms.accepted)}) == MANY
            )

        await eventually(nothing_left, 90)
        await results.rest(settings)
    assert Counter(each.lms_key for each in not_beside(lms.accepted)) == dict.fromkeys(keys, 1)
    assert {each.xqueue_body for each in lms.accepted} == {REPLY}


async def redriving(amqp_url: str, rate: int) -> ServiceProcess:
    settings = {"AMQP_URL": amqp_url, "SECRET_KEY": SECRET, "XQUEUES": '{"openedx": null}'}
    return await begun("parked", "redrive", "--all", "--yes", "--rate", str(rate), **settings)
