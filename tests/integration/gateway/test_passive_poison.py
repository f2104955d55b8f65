"""What ends a bridge that looks at it, a passive grader's reply or a caller's message, is not taken first for ever."""

import pytest

from broker_setup.topology import SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire import reply_checker
from tests.support.broker import VHost
from tests.support.passive import REPLY, lms_side, running_bridge, running_grader, settings_for
from tests.support.poison import POISON, check_and_die, come_back


@pytest.fixture
def quick() -> dict[str, object]:
    return {"grading_retry_delays": (), "grading_concurrency": 1}


async def test_a_deadly_reply_is_judged_by_a_process_that_may_die_of_it(
    vhost: VHost, quick: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reply_checker, "check_reply", check_and_die)
    async with running_grader() as grader:
        settings = settings_for(vhost.amqp_url, {"red": grader.url}, **quick)
        async with lms_side(settings) as lms:
            grader.says(POISON, REPLY)
            deadly, good = await lms.submit("red"), await lms.submit("red")
            await come_back(vhost.amqp_url, submissions_queue("red"), messages=2)
            async with running_bridge(settings):
                parked = await lms.take(SUBMISSIONS_PARKED, within=60)
                results = {
                    result.correlation_id: result.body for result in [await lms.take(within=60), await lms.take()]
                }
            assert parked.correlation_id == deadly.uuid
            assert (
                parked.headers["xqueue-parked-reason"]
                == f"the grader was called 1 times: its reply: {reply_checker.DEADLY}"
            )
            assert results[good.uuid] == REPLY


async def test_a_deadly_message_is_parked_unread(
    vhost: VHost, quick: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def taste(_: reply_checker.ReplyChecker, body: bytes, returns: int) -> None:
        if returns >= reply_checker.SUSPECTED_RETURNS:
            raise reply_checker.DeadlyMessageError(reply_checker.DEADLY)

    monkeypatch.setattr(reply_checker.ReplyChecker, "taste", taste)
    async with running_grader() as grader:
        settings = settings_for(vhost.amqp_url, {"red": grader.url}, **quick)
        async with lms_side(settings) as lms:
            deadly = await lms.submit("red")
            await come_back(vhost.amqp_url, submissions_queue("red"), messages=1)
            good = await lms.submit("red")
            async with running_bridge(settings):
                parked = await lms.take(SUBMISSIONS_PARKED, within=60)
                bodies = {
                    result.correlation_id: result.body for result in [await lms.take(within=60), await lms.take()]
                }
            assert (parked.correlation_id, parked.headers["xqueue-parked-reason"]) == (
                deadly.uuid,
                reply_checker.DEADLY,
            )
            assert bodies[good.uuid] == REPLY
            assert set(bodies) == {good.uuid, deadly.uuid}, "the student of the other one has a notice"
