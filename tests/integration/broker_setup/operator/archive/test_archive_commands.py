"""`xqueue-broker archive`: what was submitted and answered is kept, once, sealed, and can be forgotten."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from broker_setup.topology import ARCHIVED_RESULTS, ARCHIVED_SUBMISSIONS
from broker_setup.wire.results import Result, Tries
from broker_setup.wire.submissions import Submission
from tests.support.archive import ArchiveOperator, publish, reply_of, sent_work
from tests.support.operator import begun, take_all
from tests.support.waiting import eventually


def result_of(each: Submission, score: object, **more: Any) -> Result:
    return Result(each.uuid, reply_of(score), each.sealed_return, **more)


def exported(operator: ArchiveOperator, *options: str) -> list[Any]:
    ran = operator.run("archive", "export", "openedx", *options)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def objects_in(folder: Path) -> list[Path]:
    """Those that are whole: one that was begun has a name that lists leave out."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and "#" not in path.name)


def test_what_was_submitted_and_answered_is_kept_and_what_is_of_other_queues_is_not(operator: ArchiveOperator) -> None:
    mine, others = sent_work(1), sent_work(2, queue="other")
    amended = result_of(mine, 1, amendment=1, graded_at=datetime.now(UTC) + timedelta(minutes=1))
    again = result_of(mine, 0.5, tries=Tries(made=1))  # back from a rung, as the relay puts it there
    publish(operator.amqp_url, [mine, others], [result_of(mine, 0.5), amended, again, result_of(others, 1)])
    operator.written()

    (kept,) = exported(operator)
    assert kept["uuid"] == mine.uuid
    assert json.loads(kept["body"])["student_response"] == "work 1"
    assert kept["callback_url"] == "http://lms/1/score_update"
    assert [(each["score"], each["amendment"]) for each in kept["results"]] == [(0.5, 0), (1.0, 1)]
    assert "lms_key" not in json.dumps(kept)
    assert operator.json("archive", "show", mine.uuid) == kept
    shown = operator.run("archive", "show", mine.uuid).stdout
    assert "work 1" in shown
    stock = operator.json("archive", "show")
    assert [(each["queue"], each["submissions"], each["results"]) for each in stock["queues"]] == [
        ("openedx", 1, 2),
        ("other", 0, 0),
        ("trial", 0, 0),
    ]
    assert stock["not_written"] == {ARCHIVED_SUBMISSIONS: 0, ARCHIVED_RESULTS: 0}

    # Nothing of it can be read where it lies.
    stored = objects_in(operator.folder)
    assert len(stored) == 3
    assert not any(word in path.read_bytes() for path in stored for word in (b"work 1", b"student", b"score"))


def test_a_writer_that_is_killed_again_and_again_loses_nothing_and_keeps_nothing_twice(
    operator: ArchiveOperator,
) -> None:
    sent = [sent_work(number) for number in range(60)]
    publish(operator.amqp_url, sent, [result_of(each, 1) for each in sent])

    async def write_and_kill(until: int) -> None:
        writer = await begun("archive", "write", **operator.settings())
        try:
            await eventually(lambda: len(objects_in(operator.folder)) >= until)
        finally:
            await writer.kill()

    for until in (15, 60):
        asyncio.run(write_and_kill(until))

    def is_all_written() -> bool:
        # Until the broker has noticed the last kill, what was under way waits for nobody.
        operator.written()
        return len(objects_in(operator.folder)) == 2 * len(sent)

    asyncio.run(eventually(is_all_written))
    assert sorted(each["uuid"] for each in exported(operator)) == sorted(each.uuid for each in sent)
    assert [len(each["results"]) for each in exported(operator)] == [1] * len(sent)
    operator.written()
    assert len(objects_in(operator.folder)) == 2 * len(sent)


def test_a_student_is_forgotten_and_nobody_else(operator: ArchiveOperator) -> None:
    theirs = [sent_work(1, student="ann"), sent_work(2, student="ann")]
    others = sent_work(3, student="bob")
    publish(operator.amqp_url, [*theirs, others], [result_of(each, 1) for each in (*theirs, others)])
    operator.written()

    dry = operator.json("archive", "forget", "openedx", "--where", "student=ann")
    assert dry == {"would_forget": 2, "objects": 4}
    assert len(exported(operator)) == 3
    done = operator.json("archive", "forget", "openedx", "--where", "student=ann", "--yes")
    assert done == {"forgotten": 2, "objects": 4}
    assert [each["uuid"] for each in exported(operator)] == [others.uuid]
    assert operator.json("archive", "forget", "--uuid", others.uuid, "--yes") == {"forgotten": 1, "objects": 2}
    assert objects_in(operator.folder) == []
    assert "say either a queue" in operator.refused("archive", "forget")


def test_what_is_older_than_its_time_goes_and_a_time_selects(operator: ArchiveOperator) -> None:
    now = datetime.now(UTC)
    old, new = sent_work(1, at=now - timedelta(days=10)), sent_work(2, at=now - timedelta(days=1))
    publish(operator.amqp_url, [old, new])
    operator.written()
    assert [each["uuid"] for each in exported(operator, "--since", "11d", "--until", "5d")] == [old.uuid]
    assert [each["uuid"] for each in exported(operator, "--since", "5d")] == [new.uuid]
    ran = operator.run("archive", "write", "--once", ARCHIVE_MAX_AGE=str(5 * 24 * 3600))
    assert ran.returncode == 0, ran.stderr
    assert [each["uuid"] for each in exported(operator)] == [new.uuid]


def test_a_queue_that_is_archived_no_more_is_copied_no_more_once_that_is_declared(operator: ArchiveOperator) -> None:
    off = {"QUEUE_OPTIONS": "{}"}
    assert operator.run("declare", **off).returncode == 0
    publish(operator.amqp_url, [sent_work(1)], [result_of(sent_work(1), 1)])
    for queue in (ARCHIVED_SUBMISSIONS, ARCHIVED_RESULTS):
        assert take_all(operator.amqp_url, queue) == []
    # And again where it is archived again.
    assert operator.run("declare").returncode == 0
    publish(operator.amqp_url, [sent_work(1)], [result_of(sent_work(1), 1)])
    for queue in (ARCHIVED_SUBMISSIONS, ARCHIVED_RESULTS):
        assert len(take_all(operator.amqp_url, queue)) == 1


def test_what_another_secret_sealed_is_left_out_and_said(operator: ArchiveOperator) -> None:
    publish(operator.amqp_url, [sent_work(1)])
    operator.written()
    ran = operator.run("archive", "export", "openedx", SECRET_KEY="quite another secret, long enough for a key")
    assert ran.stdout == ""
    assert "left out, as they can't be read: 1 archived submission" in ran.stderr
    assert "SECRET_KEY that is not known here" in ran.stderr
