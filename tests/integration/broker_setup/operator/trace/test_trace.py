"""`xqueue-broker trace`: the timeline of a submission, found by whatever an operator has at hand."""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from broker_setup.ledger.events import (
    Act,
    Acted,
    AnyEvent,
    Delivered,
    Discarded,
    Retired,
    Submitted,
    Undeliverable,
    hash_url,
)
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from broker_setup.wire.properties import submission_id_of
from tests.support.broker import VHost
from tests.support.ledger import pika_channel, write_body, write_frames
from tests.support.ledger_events import (
    URL,
    amended,
    expired,
    extended,
    graded,
    leased,
    parked,
    redriven,
    released,
    retired,
    submitted,
    superseded,
    uuid_of,
)
from tests.support.operator import Operator

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC).timestamp()
OTHER = "https://lms.example/other/score_update"


def write(operator: Operator, *events: AnyEvent) -> None:
    write_frames(operator.amqp_url, [[event] for event in events])


def history(number: int, begin: float) -> Sequence[AnyEvent]:
    return [
        submitted(number, begin),
        leased(number, begin + 2.5, "one", until=begin + 62.5),
        expired(number, begin + 62.6, "one"),
        leased(number, begin + 70, "two"),
        leased(number, begin + 70.1, "three"),
        graded(number, begin + 75, "two"),
        Delivered(begin + 76, uuid_of(number), 1),
    ]


def test_a_submission_is_found_by_its_id_and_told_step_by_step(operator: Operator) -> None:
    write(operator, *history(1, NOON), *history(2, NOON + 1_000))
    [told] = operator.json("trace", "1")["submissions"]
    assert (told["submission_id"], told["uuid"], told["queue"]) == (1, uuid_of(1).hex(), "openedx")
    assert told["standing"] == "settled, delivered"
    assert [step["event"] for step in told["events"]] == [
        "submitted",
        "leased",
        "expired",
        "leased",
        "leased",
        "graded",
        "delivered",
    ]
    assert [step["seconds_since_last"] for step in told["events"]] == [None, 2.5, 60.1, 7.4, 0.1, 4.9, 1.0]
    assert [step["void"] for step in told["events"]] == [False, False, False, False, True, False, False]
    lease = told["events"][1]
    assert (lease["at"], lease["expires_at"]) == ("2025-01-31T12:00:02.500+00:00", "2025-01-31T12:01:02.500+00:00")
    assert (lease["writer"], lease["attempt"], lease["url"]) == ("gateway 1", 1, hash_url(URL).hex())
    assert "sealed" not in lease


def test_a_person_is_told_where_to_see_why_a_result_is_not_with_its_lms_yet(operator: Operator) -> None:
    write(operator, submitted(1, NOON), leased(1, NOON + 1, "k"), graded(1, NOON + 2, "k"))
    _, second, *_ = operator.run("trace", "1").stdout.splitlines()
    asked = second.split("xqueue-broker ")[1].split()
    assert asked == ["results", "list", "--uuid", uuid_of(1).hex()]
    assert operator.json(*asked)["waiting"] == 0


def test_a_person_gets_a_table_with_times_durations_and_details(operator: Operator) -> None:
    write(operator, *history(1, NOON))
    ran = operator.run("trace", "1")
    assert (ran.returncode, ran.stderr) == (0, "")
    lines = ran.stdout.splitlines()
    assert f"submission 1  {uuid_of(1).hex()}  of openedx: settled, delivered" in lines[0]
    rows = [re.split(r"\s*│\s*", line)[1:-1] for line in lines if line.startswith("│")]
    assert rows[0][:3] == ["2025-01-31 12:00:00.000Z", "", "submitted"]
    assert rows[1][:3] == ["2025-01-31 12:00:02.500Z", "2.5 s", "leased"]
    assert rows[1][3].startswith("until 2025-01-31 12:01:02.500Z (1 min 0 s), attempt 1, lease ")
    assert rows[4][3].startswith("void, ")
    assert rows[6][:4] == ["2025-01-31 12:01:16.000Z", "1.0 s", "delivered", "after 1 try"]
    assert {row[4] for row in rows} == {"gateway 1"}


@pytest.mark.parametrize(
    "subject", [uuid_of(1).hex(), "00000000-0000-0000-0000-000000000001", f"{uuid_of(1).hex()}:", URL, "1"]
)
def test_a_submission_is_found_by_uuid_and_callback_url_too(operator: Operator, subject: str) -> None:
    write(operator, submitted(1, NOON), submitted(2, NOON, url=OTHER), extended(1, NOON, "k", NOON + 60))
    [told] = operator.json("trace", subject)["submissions"]
    assert told["submission_id"] == 1
    assert len(told["events"]) == 2


def test_a_callback_url_finds_every_answer_of_that_student_to_that_problem(operator: Operator) -> None:
    write(operator, submitted(1, NOON), submitted(2, NOON + 9), superseded(1, NOON + 10, by=2))
    told = operator.json("trace", URL)["submissions"]
    assert [each["standing"] for each in told] == ["superseded", "waiting"]
    assert told[0]["events"][1]["by"] == uuid_of(2).hex()
    table = operator.run("trace", URL).stdout
    assert f"by 2  {uuid_of(2).hex()}" in table


def test_the_newest_of_a_queue_and_a_time_come_with_all_their_history(operator: Operator) -> None:
    for number in range(1, 6):
        write(operator, submitted(number, NOON + number * 60, url=str(number)))
    write(
        operator,
        submitted(6, NOON + 120, queue="q.2", url="6"),
        leased(1, NOON + 400, "k", url="1"),
        leased(5, NOON + 900, "k", url="5"),
    )
    window = ("--queue", "openedx", "--since", "2025-01-31T12:02:00", "--until", "2025-01-31T12:08:00")
    told = operator.json("trace", *window)["submissions"]
    assert [each["submission_id"] for each in told] == [1, 2, 3, 4, 5]
    # What happened before and after that time is told as well.
    assert [len(each["events"]) for each in told] == [2, 1, 1, 1, 2]
    assert [each["submission_id"] for each in operator.json("trace", *window, "--limit", "2")["submissions"]] == [1, 5]
    [other] = operator.json("trace", "--queue", "q.2")["submissions"]
    assert other["submission_id"] == 6
    assert len(operator.json("trace", "--until", "1d")["submissions"]) == 6


def test_every_event_can_be_told(operator: Operator) -> None:
    write(
        operator,
        submitted(1, NOON),
        leased(1, NOON + 1, "k"),
        extended(1, NOON + 2, "k", NOON + 90),
        released(1, NOON + 3, "k", available_at=NOON + 8),
        leased(1, NOON + 9, "l"),
        graded(1, NOON + 10, "l"),
        amended(1, NOON + 11, "l", b"e", 1),
        Undeliverable(NOON + 12, uuid_of(1), "404 [not found]"),
        Discarded(NOON + 13, uuid_of(1), "the [course] is over"),
        Acted(NOON + 14, uuid_of(1), Act.CALLED_IN, "root@host"),
        submitted(2, NOON, url=OTHER),
        parked(2, NOON + 1, url=OTHER),
        redriven(2, NOON + 2, url=OTHER),
        parked(2, NOON + 3, url=OTHER, redriven=1),
        retired(2, NOON + 4, url=OTHER, reason="discarded by an operator"),
        submitted(3, NOON, url="3"),
        Retired(NOON + 1, uuid_of(3), "openedx", b"3", "end of [bold]term[/bold]", "ned"),
    )
    first = operator.run("trace", "1").stdout
    assert "settled, discarded" in first
    assert "the [course] is over" in first
    assert "404 [not found]" in first
    assert "not before 2025-01-31 12:00:08.000Z" in first
    assert "amendment 1" in first
    second = operator.run("trace", "2").stdout
    assert re.search(r"of openedx: retired\s", second)
    assert re.search(r"redriven .* redrive 1 .*\n.* parked .*\n.* discarded by an operator", second)
    assert "void" not in second
    assert re.search("called in .* by root@host ", first)
    assert "retired   │ end of [bold]term[/bold], by ned " in operator.run("trace", "3").stdout


def test_a_result_that_came_straight_over_amqp_is_told_without_a_lease(operator: Operator) -> None:
    write(operator, submitted(1, NOON), Delivered(NOON + 5, uuid_of(1), 3))
    assert operator.json("trace", "1")["submissions"][0]["standing"] == "delivered"


def test_a_large_ledger_is_read_to_its_end(operator: Operator) -> None:
    many = [Submitted(NOON, number.to_bytes(16), "openedx", b"u") for number in range(10, 20_010)]
    write_frames(operator.amqp_url, [many[start : start + 1_000] for start in range(0, 20_000, 1_000)])
    with pika_channel(operator.amqp_url) as channel:
        write_body(channel, b"no frame")
    write(operator, *history(1, NOON))
    assert len(operator.json("trace", "1")["submissions"][0]["events"]) == 7
    last = submission_id_of(many[-1].submission)
    assert operator.json("trace", str(last))["submissions"][0]["submission_id"] == last


def test_events_stand_by_time_the_submit_first_and_no_span_is_negative(operator: Operator) -> None:
    # Two gateways' chunks: the lease and the result came into the ledger before the submit was noted.
    write(operator, leased(1, NOON, "k"), graded(1, NOON + 5, "k"), submitted(1, NOON + 0.2))
    write(operator, Delivered(NOON + 4, uuid_of(1), 1))
    [told] = operator.json("trace", "1")["submissions"]
    assert [step["event"] for step in told["events"]] == ["submitted", "leased", "delivered", "graded"]
    assert [step["seconds_since_last"] for step in told["events"]] == [None, 0.0, 4.0, 1.0]
    assert told["standing"] == "settled, delivered"
    rows = [line.split("│")[3].strip() for line in operator.run("trace", "1").stdout.splitlines() if line[0] == "│"]
    assert rows == ["submitted", "leased", "delivered", "graded"]


def test_a_lease_that_ran_out_is_no_lease(operator: Operator) -> None:
    write(
        operator, submitted(1, NOON), leased(1, NOON + 1, "k", until=NOON + 61), extended(1, NOON + 2, "k", NOON + 90)
    )
    [told] = operator.json("trace", "1")["submissions"]
    assert (told["standing"], told["lease_ended"]) == ("waiting", "2025-01-31T12:01:30.000+00:00")
    assert "of openedx: waiting (lease ended 12:01:30)" in operator.run("trace", "1").stdout


def test_a_lease_that_runs_is_one(operator: Operator) -> None:
    now = datetime.now(UTC).timestamp()
    write(operator, submitted(1, now), leased(1, now, "k", until=now + 600))
    [told] = operator.json("trace", "1")["submissions"]
    assert (told["standing"], told["lease_ended"]) == ("leased", None)


# What goes wrong.


def test_what_the_ledger_does_not_know_is_said(operator: Operator) -> None:
    said = operator.refused("trace", "1")
    assert "none in the last LEDGER_MAX_AGE; look at the id or the queue's name" in said
    ran = operator.run("trace", "1", "--json")
    assert (ran.returncode, json.loads(ran.stdout)) == (1, {"submissions": []})


@pytest.mark.parametrize("subject", ["abc", "1.5", "-1", "/score_update", "0" * 31 + "g"])
def test_what_can_not_be_a_submission_is_said(operator: Operator, subject: str) -> None:
    assert "no " in operator.refused("trace", "--", subject)


@pytest.mark.parametrize("arguments", [[], ["1", "--queue", "openedx"], ["1", "--since", "2h"]])
def test_one_way_of_asking_is_needed(operator: Operator, arguments: list[str]) -> None:
    assert "say either" in operator.refused("trace", *arguments)


@pytest.mark.parametrize("time", ["yesterday", "2 weeks", "12:00", "99999999999d"])
def test_a_time_that_is_none_is_said(operator: Operator, time: str) -> None:
    assert "is no time" in operator.refused("trace", "--since", time)


def test_a_missing_ledger_is_said_with_what_to_do(vhost: VHost) -> None:
    line = Operator(vhost.amqp_url).refused("trace", "1")
    assert "xqueue.ledger is missing: run `xqueue-broker declare`" in line


def test_no_broker_is_said_without_its_password() -> None:
    line = Operator("amqp://xqueue:hunter2@127.0.0.1:1/").refused("trace", "1")
    assert "127.0.0.1:1" in line
    assert "hunter2" not in line


def test_a_ledger_from_before_the_settings_changed_is_read_all_the_same(vhost: VHost) -> None:
    declare(vhost.amqp_url, topology(["openedx"], (1,), ledger_max_age=3600))
    operator = Operator(vhost.amqp_url)
    write(operator, *history(1, NOON))
    assert operator.json("trace", "1")["submissions"]
