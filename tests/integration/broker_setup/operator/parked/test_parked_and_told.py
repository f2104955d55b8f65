"""What an operator sees, and can do, before and after the students of what is parked are told."""

import asyncio
from time import time

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.ledger.events import AnyEvent
from broker_setup.topology import RESULTS_PARKED, SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.notices import Telling, notice_of, telling_after
from broker_setup.wire.parked import parked_copy
from broker_setup.wire.properties import UNTOLD_HEADER
from broker_setup.wire.results import encode_result
from broker_setup.wire.submissions import Submission, encode_submission
from tests.support.ledger import write_frames
from tests.support.ledger_events import parked, redriven
from tests.support.operator import Operator, submission, take_all
from tests.support.parking import NOON, park_results, park_submissions, put, result_for
from tests.support.queues import ready

WAITS = "xqueue.notices.1h"


def work() -> Submission:
    return submission(NOON, "https://lms.example/1")


def aside(each: Submission, telling: Telling) -> Message:
    return parked_copy(encode_submission(each), "failed 3 times", queue="openedx", telling=telling)


def notice(each: Submission, redriven: int = 0) -> Message:
    return encode_result(notice_of(each.uuid, each.sealed_return, "Sorry.", redriven=redriven))


def left(operator: Operator, queue: str) -> int:
    return asyncio.run(ready(operator.amqp_url, queue))


@pytest.fixture
def soon() -> Telling:
    return telling_after(3600.0, time())


def test_a_submission_that_is_redriven_in_time_takes_its_notice_along_and_no_other(
    operator: Operator, soon: Telling
) -> None:
    lost, other = work(), work()
    write_frames(operator.amqp_url, [[parked(int(each.uuid, 16), time()) for each in (lost, other)]])
    asyncio.run(put(operator.amqp_url, WAITS, [notice(other), notice(lost)]))
    park_submissions(operator.amqp_url, aside(lost, soon), aside(other, soon))
    assert operator.json("count")["students_to_be_told"] == 2
    done = operator.json("parked", "redrive", "--uuid", lost.uuid, "--yes")
    assert (done["redriven"], done["told"]) == (1, 0)
    [(uuid, _, headers)] = take_all(operator.amqp_url, submissions_queue("openedx"))
    # Where it is parked again, its student hears of that.
    assert (uuid, headers[UNTOLD_HEADER]) == (lost.uuid, 1)
    assert [uuid for uuid, *_ in take_all(operator.amqp_url, WAITS)] == [other.uuid]
    assert left(operator, SUBMISSIONS_PARKED) == 1


def test_what_has_a_student_who_was_told_stays_unless_it_is_redriven_although(operator: Operator) -> None:
    lost = work()
    write_frames(operator.amqp_url, [[parked(int(lost.uuid, 16), time())]])
    park_submissions(operator.amqp_url, aside(lost, telling_after(0.0, time())))
    refused = operator.run("parked", "redrive", "--all", "--yes").stdout
    assert refused.startswith("0 of 1 parked messages can go\n1 stay: their students were told")
    assert "--although-told" in refused
    assert left(operator, SUBMISSIONS_PARKED) == 1
    done = operator.run("parked", "redrive", "--all", "--yes", "--although-told").stdout
    assert "redriven 1 of 1 parked messages\nof these, 1: their students were told" in done
    [(uuid, _, headers)] = take_all(operator.amqp_url, submissions_queue("openedx"))
    assert uuid == lost.uuid
    assert UNTOLD_HEADER not in headers


def test_debris_of_an_interrupted_redrive_takes_its_own_notice_and_not_that_of_a_later_parking(
    operator: Operator, soon: Telling
) -> None:
    lost = work()
    events = [parked(int(lost.uuid, 16), time())]
    write_frames(operator.amqp_url, [[*events, *_redriven_and_parked_again(lost)]])
    asyncio.run(put(operator.amqp_url, WAITS, [notice(lost), notice(lost, redriven=1)]))
    park_submissions(operator.amqp_url, aside(lost, soon))
    assert operator.json("parked", "redrive", "--all", "--yes")["cleared"] == 1
    [(_, _, headers)] = take_all(operator.amqp_url, WAITS)
    assert headers["xqueue-result-redriven"] == 1


def _redriven_and_parked_again(lost: Submission) -> list[AnyEvent]:
    number = int(lost.uuid, 16)
    return [redriven(number, time()), parked(number, time(), redriven=1)]


def test_what_is_discarded_takes_its_notice_along(operator: Operator, soon: Telling) -> None:
    result = result_for("https://lms.example/1")
    told = encode_result(notice_of(result.submission, result.sealed_return, "Sorry."))
    asyncio.run(put(operator.amqp_url, WAITS, [told]))
    park_results(operator.amqp_url, parked_copy(encode_result(result), "refused: 404", telling=soon))
    assert operator.json("parked", "discard", "--all", "--yes")["discarded"] == 1
    assert (left(operator, RESULTS_PARKED), left(operator, WAITS)) == (0, 0)


def test_a_queue_of_notices_that_is_gone_has_none(operator: Operator) -> None:
    result = result_for("https://lms.example/1")
    earlier = Telling(time() + 60, "xqueue.notices.5m")
    park_results(operator.amqp_url, parked_copy(encode_result(result), "refused: 404", telling=earlier))
    assert operator.json("parked", "redrive", "--all", "--yes")["redriven"] == 1


def test_where_the_queue_of_notices_is_missing_a_look_says_what_to_run(operator: Operator) -> None:
    assert "queue 'xqueue.notices.2h' is missing: run `xqueue-broker declare`" in operator.refused(
        "count", NOTICE_GRACE="7200"
    )
