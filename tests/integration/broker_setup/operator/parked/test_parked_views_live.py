"""`xqueue-broker parked list` and `show`: what is parked is seen as it is, and stays."""

import json
import subprocess
import sys
from pathlib import Path

import pika
import pytest

from broker_setup.topology import (
    RESULTS_PARKED,
    SUBMISSIONS_PARKED,
)
from broker_setup.wire.parked import PARKED_REASON_HEADER
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
)
from tests.support.broker import VHost
from tests.support.ledger import pika_channel
from tests.support.operator import Operator, environment
from tests.support.parking import (
    AT,
    in_queue,
    park_results,
    park_submissions,
    parked_result,
    parked_submission,
    reject,
    result_for,
    some_results,
    work,
)


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


def test_what_another_operator_looks_at_is_not_seen(operator: Operator) -> None:
    results = some_results(2)
    park_results(operator.amqp_url, *map(parked_result, results))
    with pika_channel(operator.amqp_url) as channel:
        channel.basic_get(RESULTS_PARKED)
        assert [each["uuid"] for each in operator.json("parked", "list")["messages"]] == [results[1].submission]


def test_what_is_not_there_is_said(operator: Operator) -> None:
    assert "nothing that is parked is called '7'" in operator.refused("parked", "show", "7")
    assert "'7' is no uuid" in operator.refused("parked", "list", "--uuid", "7")
    assert "is no time" in operator.refused("parked", "list", "--older-than", "yesterday")


def test_a_missing_queue_is_said_with_what_to_do(vhost: VHost) -> None:
    line = Operator(vhost.amqp_url).refused("parked", "list")
    assert "queue 'xqueue.results.parked' is missing: run `xqueue-broker declare`" in line
