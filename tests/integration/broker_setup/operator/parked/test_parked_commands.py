"""`xqueue-broker parked`: what is parked is seen as it is, goes on its way again, or is discarded; the rest stays."""

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pika
import pytest
from aio_pika import Message

from broker_setup.ledger.events import AnyEvent, Discarded, Redriven, Retired
from broker_setup.topology import (
    CHECKED_QUEUE,
    RESULTS_PARKED,
    SUBMISSIONS_PARKED,
    submissions_queue,
)
from broker_setup.wire.parked import PARKED_PREFIX, PARKED_REASON_HEADER
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    REDRIVEN_HEADER,
    RESULT_REDRIVEN_HEADER,
    RESULT_UNTOLD_HEADER,
    RETURN_HEADER,
)
from broker_setup.wire.results import Result
from broker_setup.wire.submissions import Submission
from tests.support.broker import VHost
from tests.support.ledger import follower, pika_channel, write_frames
from tests.support.ledger_events import graded, leased, parked
from tests.support.operator import Operator, environment, submission, take_all, waiting_in
from tests.support.parking import (
    AT,
    park_results,
    park_submissions,
    parked_result,
    parked_submission,
    reject,
    result_for,
)

NOON = datetime.fromtimestamp(AT, UTC)


@pytest.fixture
def operator(declared: VHost) -> Operator:
    return Operator(declared.amqp_url)


def ledger_of(operator: Operator) -> list[AnyEvent]:
    async def read() -> list[AnyEvent]:
        async with follower(operator.amqp_url) as it:
            await it.catch_up()
            return it.events

    return asyncio.run(read())


def in_queue(operator: Operator, queue: str) -> list[str]:
    """The correlation ids of what is in a queue, in order; takes them out."""
    return [uuid for uuid, *_ in take_all(operator.amqp_url, queue)]


def some_results(number: int) -> list[Result]:
    return [result_for(f"https://lms.example/{each}", b"%d" % each) for each in range(number)]


def work(queue: str = "openedx") -> Submission:
    return submission(NOON, "https://lms.example/1", queue=queue)


def parked_event(each: Submission, redriven: int = 0) -> AnyEvent:
    return parked(int(each.uuid, 16), AT, queue=each.queue, redriven=redriven)


# Looking.


def test_what_is_parked_is_listed_with_everything_an_operator_asks_first(operator: Operator) -> None:
    [result], [other], lost = some_results(1), some_results(1), work("q.2")
    park_results(
        operator.amqp_url,
        parked_result(result, "refused: [404]"),
        parked_result(other, "no answer", origin="http://[::1]:8000", at=AT + 60),
    )
    park_submissions(operator.amqp_url, parked_submission(lost, at=AT + 120))
    told = operator.json("parked", "list")
    assert told["parked"] == 3
    first, second, third = told["messages"]
    age = first.pop("age")
    assert age >= 0
    assert first == {
        "what": "result",
        "uuid": result.submission,
        "submission_id": int(result.submission, 16) & (2**53 - 1),
        "correlation_id": result.submission,
        "queue": "openedx",
        "origin": "https://lms.example",
        "reason": "refused: [404]",
        "parked_at": "2025-01-31T12:00:00.000+00:00",
        "attempts": 7,
        "redriven": 0,
        "size": 1,
        "told": False,
        "tell_at": None,
    }
    assert (second["origin"], second["parked_at"]) == ("http://[::1]:8000", "2025-01-31T12:01:00.000+00:00")
    assert (third["what"], third["queue"], third["uuid"]) == ("submission", "q.2", lost.uuid)
    assert third["age"] > 3600
    table = operator.run("parked", "list").stdout
    assert table.startswith("3 parked\n")
    assert "refused: [404]" in table
    assert result.submission in table
    # Looking has changed nothing.
    assert in_queue(operator, RESULTS_PARKED) == [result.submission, other.submission]


def test_nothing_parked_is_said(operator: Operator) -> None:
    assert operator.run("parked", "list").stdout == "0 parked\n"
    assert operator.json("parked", "redrive", "--all", "--yes")["redriven"] == 0


@pytest.mark.parametrize("verb", ["redrive", "discard"])
@pytest.mark.parametrize("yes", [(), ("--yes",)], ids=["looking", "doing"])
def test_filters_that_match_nothing_are_told_from_nothing_parked(
    operator: Operator, verb: str, yes: tuple[str, ...]
) -> None:
    park_results(operator.amqp_url, *map(parked_result, some_results(2)))
    assert operator.run("parked", verb, "--queue", "elsewhere", *yes).stdout == "0 of 2 parked messages match\n"


def test_reasons_that_differ_in_a_uuid_only_are_one_group(operator: Operator) -> None:
    park_results(
        operator.amqp_url,
        *(
            parked_result(each, f"the return address belongs to submission {each.submission}")
            for each in some_results(5)
        ),
    )
    [group] = operator.json("parked", "list")["groups"]
    assert (group["number"], group["reason"]) == (5, "the return address belongs to submission ...")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--queue", "openedx"], [0, 1, 2]),
        (["--queue", "q.2"], [3]),
        (["--origin", "https://lms.example"], [0, 2]),
        (["--origin", "HTTPS://*.example"], [0, 1, 2]),
        (["--reason", "REFUSED"], [0, 2]),
        (["--reason", "no*swer"], [1]),
        (["--reason", "[404]"], [0]),
        (["--older-than", "2025-01-31T12:01:30"], [0, 1]),
        (["--newer-than", "2025-01-31T12:01:00"], [1, 2, 3]),
        (["--newer-than", "2h"], []),
        (["--submissions"], [3]),
        (["--results", "--reason", "refused", "--newer-than", "2025-01-31T12:01:00"], [2]),
        (["--limit", "2"], [0, 1]),
    ],
)
def test_a_filter_takes_what_it_says(operator: Operator, options: list[str], expected: list[int]) -> None:
    results, lost = some_results(3), work("q.2")
    all_of_them = [*(each.submission for each in results), lost.uuid]
    park_results(
        operator.amqp_url,
        parked_result(results[0], "refused: [404]", at=AT),
        parked_result(results[1], "no answer", at=AT + 60, origin="https://other.example"),
        parked_result(results[2], "refused: 410", at=AT + 120),
    )
    park_submissions(operator.amqp_url, parked_submission(lost, at=AT + 180))
    told = operator.json("parked", "list", *options)
    assert [each["uuid"] for each in told["messages"]] == [all_of_them[number] for number in expected]


def test_what_a_stranger_or_the_broker_parked_is_listed_too(operator: Operator) -> None:
    lost = work()
    reject(operator.amqp_url, "openedx", b"junk", correlation_id=lost.uuid)
    with pika_channel(operator.amqp_url) as channel:
        headers = {PARKED_REASON_HEADER: ["no", "text"], "xqueue-parked-at": 7, ATTEMPT_HEADER: -1, "x-death": "none"}
        for properties in (pika.BasicProperties(headers=headers), pika.BasicProperties(timestamp=10**15)):
            channel.basic_publish("", SUBMISSIONS_PARKED, b"\xff\x1b[2J", properties)
    dead, junk, untimely = operator.json("parked", "list")["messages"]
    assert (dead["queue"], dead["uuid"]) == ("openedx", lost.uuid)
    assert dead["reason"] == "dead-lettered: rejected from xqueue.submissions.openedx"
    assert dead["parked_at"] is not None
    assert (junk["uuid"], junk["reason"], junk["parked_at"], junk["attempts"]) == (None, "", None, 0)
    assert untimely["parked_at"] is None
    assert len(operator.json("parked", "list", "--newer-than", "1h")["messages"]) == 1
    assert "\x1b" not in operator.run("parked", "show", "-").stdout


def test_one_is_shown_whole_but_for_its_secrets(operator: Operator, tmp_path: Path) -> None:
    result = result_for("https://user:hunter2@lms.example/xqueue/7/score_update?token=hunter2", b'{"score": 1}' * 500)
    park_results(operator.amqp_url, parked_result(result))
    [told] = operator.json("parked", "show", result.submission)["messages"]
    assert told["callback"] == "https://lms.example/xqueue/7/score_update"
    assert told["headers"][PARKED_REASON_HEADER] == "refused: 404"
    assert told["body"] == ('{"score": 1}' * 500)[:2000]
    file = tmp_path / "body"
    shown = operator.run("parked", "show", str(told["submission_id"]), "--full", "--body-to", str(file)).stdout
    assert file.read_bytes() == result.body
    assert '{"score": 1}' * 500 in shown
    for text in (shown, json.dumps(told)):
        assert result.sealed_return not in text
        assert "hunter2" not in text
        assert "lms key" not in text


def test_without_a_secret_key_one_is_shown_all_the_same(operator: Operator) -> None:
    [result] = some_results(1)
    park_results(operator.amqp_url, parked_result(result))
    settings = {"AMQP_URL": operator.amqp_url}
    [told] = Operator(operator.amqp_url).json("parked", "show", result.submission, **settings)["messages"]
    assert told["callback"] == "https://lms.example/0"
    ran = subprocess.run(
        [sys.executable, "-m", "broker_setup", "parked", "show", result.submission],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "sealed (SECRET_KEY is not set)" in ran.stdout


# Redriving.


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
    assert operator.json("parked", "redrive", "--uuid", result.submission, "--yes")["redriven"] == 1
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


def test_what_another_operator_looks_at_is_not_seen(operator: Operator) -> None:
    results = some_results(2)
    park_results(operator.amqp_url, *map(parked_result, results))
    with pika_channel(operator.amqp_url) as channel:
        channel.basic_get(RESULTS_PARKED)
        assert [each["uuid"] for each in operator.json("parked", "list")["messages"]] == [results[1].submission]


def test_a_redriven_submission_waits_again_and_the_ledger_knew_it_first(operator: Operator) -> None:
    lost = work()
    write_frames(operator.amqp_url, [[parked_event(lost)]])
    park_submissions(operator.amqp_url, parked_submission(lost))
    assert operator.json("count")["queues"][0]["parked"] == 1
    told = operator.json("parked", "redrive", "--submissions", "--all", "--yes")
    assert (told["redriven"], told["cleared"], told["stuck"]) == (1, 0, 0)
    [event] = [event for event in ledger_of(operator) if isinstance(event, Redriven)]
    assert (event.submission, event.queue, event.number) == (lost.uuid_bytes, "openedx", 1)
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


# Discarding.


def test_what_is_discarded_is_gone_and_stands_in_the_ledger(operator: Operator) -> None:
    results, lost = some_results(3), work()
    park_results(operator.amqp_url, *map(parked_result, results), Message(b"junk"))
    write_frames(operator.amqp_url, [[parked_event(lost)]])
    park_submissions(operator.amqp_url, parked_submission(lost))
    assert operator.json("parked", "discard", "--all")["dry_run"]
    told = operator.json("parked", "discard", "--all", "--because", "the course is over", "--yes")
    assert (told["selected"], told["discarded"]) == (5, 5)
    events = ledger_of(operator)
    assert {event.submission.hex() for event in events if isinstance(event, Discarded)} == {
        each.submission for each in results
    }
    [retired] = [event for event in events if isinstance(event, Retired)]
    assert (retired.submission, retired.reason) == (lost.uuid_bytes, "the course is over")
    for queue in (RESULTS_PARKED, SUBMISSIONS_PARKED, CHECKED_QUEUE):
        assert in_queue(operator, queue) == []
    assert operator.json("trace", lost.uuid)["submissions"][0]["standing"] == "retired"


# What goes wrong.


@pytest.mark.parametrize("verb", ["redrive", "discard"])
def test_everything_must_be_asked_for(operator: Operator, verb: str) -> None:
    assert "or --all" in operator.refused("parked", verb, "--yes")
    assert "or --all" in operator.refused("parked", verb, "--yes", "--results")
    assert "or --all" in operator.refused("parked", verb, "--yes", "--all", "--queue", "openedx")


def test_what_is_not_there_is_said(operator: Operator) -> None:
    assert "nothing that is parked is called '7'" in operator.refused("parked", "show", "7")
    assert "'7' is no uuid" in operator.refused("parked", "list", "--uuid", "7")
    assert "is no time" in operator.refused("parked", "list", "--older-than", "yesterday")


def test_a_missing_queue_is_said_with_what_to_do(vhost: VHost) -> None:
    line = Operator(vhost.amqp_url).refused("parked", "list")
    assert "queue 'xqueue.results.parked' is missing: run `xqueue-broker declare`" in line


def test_no_broker_is_said() -> None:
    line = Operator("amqp://xqueue:hunter2@127.0.0.1:1/").refused("parked", "redrive", "--all")
    assert "can't connect to the broker" in line
    assert "hunter2" not in line
