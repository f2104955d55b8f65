"""`xqueue-broker parked redrive` and `discard`: what is parked goes on its way again, or is gone; the rest stays."""

import subprocess
import sys
from typing import Any

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.ledger.events import Act, Acted, AnyEvent, Discarded, Redriven, Retired
from broker_setup.operator.by import who_acts
from broker_setup.topology import (
    CHECKED_QUEUE,
    RESULTS_PARKED,
    SUBMISSIONS_PARKED,
    submissions_queue,
)
from broker_setup.wire.parked import PARKED_PREFIX
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    REDRIVEN_HEADER,
    RESULT_REDRIVEN_HEADER,
    RESULT_UNTOLD_HEADER,
    RETURN_HEADER,
)
from broker_setup.wire.submissions import Submission
from tests.support.ledger import events_in, write_frames
from tests.support.ledger_events import graded, leased, parked
from tests.support.operator import Operator, environment, take_all, waiting_in
from tests.support.parking import (
    AT,
    in_queue,
    park_results,
    park_submissions,
    parked_result,
    parked_submission,
    some_results,
    work,
)


def parked_event(each: Submission, redriven: int = 0) -> AnyEvent:
    return parked(int(each.uuid, 16), AT, queue=each.queue, redriven=redriven)


@pytest.mark.parametrize("verb", ["redrive", "discard"])
@pytest.mark.parametrize("yes", [(), ("--yes",)], ids=["looking", "doing"])
def test_filters_that_match_nothing_are_told_from_nothing_parked(
    operator: Operator, verb: str, yes: tuple[str, ...]
) -> None:
    park_results(operator.amqp_url, *map(parked_result, some_results(2)))
    assert operator.run("parked", verb, "--queue", "elsewhere", *yes).stdout == "0 of 2 parked messages match\n"


def test_without_yes_it_only_says_what_would_go(operator: Operator) -> None:
    results = some_results(3)
    park_results(operator.amqp_url, *map(parked_result, results))
    told = operator.json("parked", "redrive", "--all")
    assert (told["dry_run"], told["selected"], told["redriven"]) == (True, 3, 0)
    ran = operator.run("parked", "redrive", "--all")
    assert ran.stderr == "nothing was done; --yes does it\n"
    assert in_queue(operator, RESULTS_PARKED) == [each.submission for each in results]
    assert in_queue(operator, CHECKED_QUEUE) == []


def test_a_redriven_result_is_as_it_was_before_its_first_try(operator: Operator) -> None:
    [result] = some_results(1)
    message = parked_result(result)
    message.headers |= {
        "xqueue-refusals": 3,
        "xqueue-waits": 2,
        "xqueue-failing-since": "then",
        "mine": "kept",
        RESULT_REDRIVEN_HEADER: 1,
    }
    park_results(operator.amqp_url, message)
    told = operator.json("parked", "redrive", "--uuid", result.submission, "--yes", "--by", "Ned Flanders")
    assert told["redriven"] == 1
    [act] = events_in(operator.amqp_url)
    assert isinstance(act, Acted)
    assert (act.submission.hex(), act.act, act.by) == (result.submission, Act.RESULT_REDRIVEN, "Ned Flanders")
    [(uuid, body, headers)] = take_all(operator.amqp_url, CHECKED_QUEUE)
    assert (uuid, body) == (result.submission, result.body)
    # Nobody has told the student of this parking.
    ours = {RETURN_HEADER: result.sealed_return, RESULT_REDRIVEN_HEADER: 2, RESULT_UNTOLD_HEADER: 1}
    assert headers == ours | {"mine": "kept"}
    assert in_queue(operator, RESULTS_PARKED) == []


def test_what_does_not_match_stays_in_its_order(operator: Operator) -> None:
    results = some_results(900)
    going = [each for number, each in enumerate(results) if number % 3 == 0]
    park_results(
        operator.amqp_url,
        *(parked_result(each, "refused: 404" if each in going else "no answer") for each in results),
    )
    told = operator.json("parked", "redrive", "--reason", "404", "--yes", "--rate", "10000")
    assert (told["selected"], told["redriven"]) == (300, 300)
    assert in_queue(operator, CHECKED_QUEUE) == [each.submission for each in going]
    assert in_queue(operator, RESULTS_PARKED) == [each.submission for each in results if each not in going]


def test_a_limit_takes_the_oldest(operator: Operator) -> None:
    results = some_results(50)
    park_results(operator.amqp_url, *map(parked_result, results))
    assert operator.json("parked", "redrive", "--all", "--limit", "20", "--yes")["redriven"] == 20
    assert in_queue(operator, CHECKED_QUEUE) == [each.submission for each in results[:20]]
    assert in_queue(operator, RESULTS_PARKED) == [each.submission for each in results[20:]]


def test_a_redriven_submission_waits_again_and_the_ledger_knew_it_first(operator: Operator) -> None:
    lost = work()
    write_frames(operator.amqp_url, [[parked_event(lost)]])
    park_submissions(operator.amqp_url, parked_submission(lost))
    assert operator.json("count")["queues"][0]["parked"] == 1
    told = operator.json("parked", "redrive", "--submissions", "--all", "--yes")
    assert (told["redriven"], told["cleared"], told["stuck"]) == (1, 0, 0)
    [event] = [event for event in events_in(operator.amqp_url) if isinstance(event, Redriven)]
    assert (event.submission, event.queue, event.number) == (lost.uuid_bytes, "openedx", 1)
    assert event.by == who_acts(None), "whom the system calls so"
    assert event.url != b""
    assert operator.json("count")["queues"][0]["parked"] == 0
    [(uuid, _, headers)] = take_all(operator.amqp_url, submissions_queue("openedx"))
    assert uuid == lost.uuid
    assert (headers[ATTEMPT_HEADER], headers[REDRIVEN_HEADER]) == (1, 1)
    assert not [name for name in headers if name.startswith((PARKED_PREFIX, "x-"))]


@pytest.mark.parametrize(
    ("since", "copies", "told"),
    [
        # (events after its parking, redriven, cleared): interrupted after the event, ...
        ([Redriven(AT + 1, b"", "openedx", b"", 1)], 0, (1, 0)),
        # ... after the copy, which was graded, ...
        ([Redriven(AT + 1, b"", "openedx", b"", 1), graded(1, AT + 2, "k")], 0, (0, 1)),
        # ... or leased: two copies end as one.
        ([Redriven(AT + 1, b"", "openedx", b"", 1), leased(1, AT + 2, "k", until=4e9)], 0, (1, 0)),
        # A later copy of it is parked; or was redriven.
        ([Redriven(AT + 1, b"", "openedx", b"", 1), parked(1, AT + 2, redriven=1)], 0, (0, 1)),
        (
            [Redriven(AT + 1, b"", "openedx", b"", 1), parked(1, AT, redriven=1), Redriven(AT, b"", "", b"", 2)],
            0,
            (0, 1),
        ),
        # Parked twice, by a gateway that was killed between the copy and its ack.
        ([], 1, (1, 1)),
    ],
)
def test_what_an_interrupted_redrive_left_is_put_right(
    operator: Operator, since: list[Any], copies: int, told: tuple[int, int]
) -> None:
    lost = work()
    events = [parked_event(lost), *(_of(lost, event) for event in since)]
    write_frames(operator.amqp_url, [events])
    park_submissions(operator.amqp_url, *(parked_submission(lost) for _ in range(copies + 1)))
    done = operator.json("parked", "redrive", "--all", "--yes")
    assert (done["redriven"], done["cleared"]) == told
    assert waiting_in(operator.amqp_url) == [lost.uuid] * told[0]
    assert in_queue(operator, SUBMISSIONS_PARKED) == []


def _of(each: Submission, event: Any) -> AnyEvent:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    made: AnyEvent = type(event)(**fields | {"submission": each.uuid_bytes})
    return made


def test_a_submission_of_no_queue_of_ours_stays(operator: Operator) -> None:
    gone, nameless = work(), parked_submission(work())
    nameless.correlation_id = None
    park_submissions(operator.amqp_url, Message(b"junk"), parked_submission(gone), nameless)
    told = operator.json("parked", "redrive", "--all", "--yes", XQUEUES='{"q.2": null}')
    assert (told["redriven"], told["stuck"]) == (0, 3)
    assert len(in_queue(operator, SUBMISSIONS_PARKED)) == 3


# Interrupted.

_INTERRUPTED = """
import os, runpy, signal, sys
from broker_setup.operator.parked import walk
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
settle, portions = walk._settle, []
async def settle_and_interrupt(portion, act, intake):
    portions.append(portion)
    if len(portions) == 3:
        os.kill(os.getpid(), signal.SIGINT)  # in the midst of the third portion
    await settle(portion, act, intake)
walk._settle = settle_and_interrupt
runpy.run_module("broker_setup", run_name="__main__", alter_sys=True)
"""


def test_interrupted_it_finishes_what_is_under_way_and_says_how_to_go_on(operator: Operator) -> None:
    results = some_results(100)
    park_results(operator.amqp_url, *map(parked_result, results))
    ran = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED, "parked", "redrive", "--all", "--yes", "--rate", "100"],
        env=environment(**operator.settings()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "interrupted; 30 redriven so far, the rest is parked as it was: run it again" in ran.stderr
    assert in_queue(operator, CHECKED_QUEUE) == [each.submission for each in results[:30]]
    assert in_queue(operator, RESULTS_PARKED) == [each.submission for each in results[30:]]


def test_what_is_discarded_is_gone_and_stands_in_the_ledger(operator: Operator) -> None:
    results, lost = some_results(3), work()
    park_results(operator.amqp_url, *map(parked_result, results), Message(b"junk"))
    write_frames(operator.amqp_url, [[parked_event(lost)]])
    park_submissions(operator.amqp_url, parked_submission(lost))
    assert operator.json("parked", "discard", "--all")["dry_run"]
    told = operator.json("parked", "discard", "--all", "--because", "the course is over", "--yes", "--by", "ned")
    assert (told["selected"], told["discarded"]) == (5, 5)
    events = events_in(operator.amqp_url)
    assert {event.submission.hex() for event in events if isinstance(event, Discarded)} == {
        each.submission for each in results
    }
    [retired] = [event for event in events if isinstance(event, Retired)]
    assert {event.by for event in events if isinstance(event, Discarded | Retired)} == {"ned"}
    assert (retired.submission, retired.reason) == (lost.uuid_bytes, "the course is over")
    for queue in (RESULTS_PARKED, SUBMISSIONS_PARKED, CHECKED_QUEUE):
        assert in_queue(operator, queue) == []
    assert operator.json("trace", lost.uuid)["submissions"][0]["standing"] == "retired"


@pytest.mark.parametrize("verb", ["redrive", "discard"])
def test_everything_must_be_asked_for(operator: Operator, verb: str) -> None:
    assert "or --all" in operator.refused("parked", verb, "--yes")
    assert "or --all" in operator.refused("parked", verb, "--yes", "--results")
    assert "or --all" in operator.refused("parked", verb, "--yes", "--all", "--queue", "openedx")


def test_no_broker_is_said() -> None:
    line = Operator("amqp://xqueue:hunter2@127.0.0.1:1/").refused("parked", "redrive", "--all")
    assert "can't connect to the broker" in line
    assert "hunter2" not in line
