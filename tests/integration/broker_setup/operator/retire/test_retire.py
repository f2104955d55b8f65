"""`xqueue-broker retire`: what waited too long goes, each student hears of it once, and nothing else is touched."""

import asyncio
import json
import time
from datetime import datetime, timedelta

import pika
import pytest

from broker_setup.ledger.events import Retired, Superseded, hash_url
from broker_setup.operator.retire.plan import Plan, Tally
from broker_setup.operator.retire.retiring import Retirement
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, submissions_queue
from broker_setup.wire.properties import RETURN_HEADER
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.submissions import Submission
from tests.support.ledger import events_in, pika_channel, write_frames
from tests.support.operator import (
    SECRET,
    Operator,
    noted,
    one_line,
    run,
    submission,
    submit,
    take_all,
    waiting_in,
)
from tests.support.retiring import (
    NOW,
    OLD,
    fill,
    fill_and_note,
    leased_to_somebody,
    new_ones,
    old_ones,
    retired_in,
    url_of,
)
from tests.support.waiting import eventually


def test_without_yes_it_only_says_what_would_go(operator: Operator) -> None:
    old, new = old_ones(3), new_ones(2)
    fill_and_note(operator, *old, *new)
    told = operator.json("retire", "openedx", "--before", "2h")
    assert told["dry_run"]
    assert (told["to_retire"], told["retired"]) == (3, 0)
    assert told["left"] == {"newer": 2, "leased": 0, "unreadable": None}
    assert datetime.fromisoformat(told["oldest"]) == OLD.replace(microsecond=0)
    assert datetime.fromisoformat(told["newest"]) == (OLD + timedelta(minutes=2)).replace(microsecond=0)
    assert (told["ready"], told["unaccounted"]) == (5, 0)
    assert abs(datetime.fromisoformat(told["ledger_since"]) - OLD) < timedelta(seconds=1)

    ran = operator.run("retire", "openedx", "--before", "2h")
    assert ran.stdout.startswith("3 submissions of openedx waiting since before ")
    assert "oldest " in ran.stdout
    assert ran.stdout.endswith("the broker has 5 ready, as many as the ledger tells of\n")
    assert ran.stderr == "nothing was done; --yes does it\n"

    assert take_all(operator.amqp_url, CHECKED_QUEUE) == []
    assert retired_in(operator) == []
    assert waiting_in(operator.amqp_url) == [each.uuid for each in [*old, *new]]


def test_without_yes_no_message_is_touched(operator: Operator) -> None:
    fill_and_note(operator, *old_ones(3), *new_ones(2))
    operator.json("retire", "openedx", "--before", "2h")
    with pika_channel(operator.amqp_url) as channel:
        met = [channel.basic_get(submissions_queue("openedx")) for _ in range(5)]
    assert [method.redelivered for method, *_ in met] == [False] * 5
    assert [properties.headers.get("x-delivery-count", 0) for _, properties, _ in met] == [0] * 5


def test_what_it_says_without_yes_is_what_it_does_with_it(operator: Operator) -> None:
    old, new = old_ones(6), new_ones(3)
    fill_and_note(operator, *old, *new)
    again = submission(OLD + timedelta(hours=1), url_of(old[0]))  # supersedes it
    fill_and_note(operator, again)
    running, over = leased_to_somebody(old[1], time.time() + 600), leased_to_somebody(old[2], OLD.timestamp() + 200)
    write_frames(operator.amqp_url, [[running, over]])
    said = operator.json("retire", "openedx", "--before", "2h")
    did = operator.json("retire", "openedx", "--before", "2h", "--yes")
    assert (said["to_retire"], said["cleared"], said["left"]["newer"], said["left"]["leased"]) == (5, 1, 3, 1)
    for name in ("oldest", "newest", "cleared"):
        assert said[name] == did[name]
    assert said["to_retire"] == did["retired"]
    assert {**said["left"], "unreadable": 0} == did["left"]


def test_what_the_ledger_does_not_tell_of_is_said_beside_the_brokers_count(operator: Operator) -> None:
    fill(operator, *old_ones(2))  # from before the ledger begins
    ran = operator.run("retire", "openedx", "--before", "2h")
    assert ran.stdout.startswith("0 submissions of openedx waiting since before ")
    assert "the broker has 2 ready, 2 more than the ledger tells of: " in ran.stdout
    assert ran.stderr == "nothing was done; --yes does it\n"
    told = operator.json("retire", "openedx", "--before", "2h")
    assert (told["to_retire"], told["ready"], told["unaccounted"], told["ledger_since"]) == (0, 2, 2, None)


def test_what_an_amqp_grader_has_in_hand_is_said_too(operator: Operator) -> None:
    fill_and_note(operator, *old_ones(3))
    with pika_channel(operator.amqp_url) as channel:
        channel.basic_get(submissions_queue("openedx"))
        ran = operator.run("retire", "openedx", "--before", "2h")
    assert ran.stdout.startswith("3 submissions of openedx waiting since before ")
    assert "the broker has 2 ready, 1 fewer than the ledger tells of: " in ran.stdout


def test_with_yes_the_old_ones_go_the_students_hear_of_it_and_the_rest_stays_in_order(operator: Operator) -> None:
    old, new = old_ones(5), new_ones(4)
    # One old one stands among the newer ones: a gateway had it for a while.
    fill(operator, *old[:4], *new[:2], old[4], *new[2:])
    told = operator.json("retire", "openedx", "--before", "2h", "--yes", "--reason", "end of term")
    assert (told["retired"], told["left"]["newer"]) == (5, 4)

    notices = take_all(operator.amqp_url, CHECKED_QUEUE)
    assert sorted(uuid for uuid, *_ in notices) == sorted(each.uuid for each in old)
    for uuid, body, headers in notices:
        notice = json.loads(body)
        assert set(notice) == {"correct", "score", "msg"}
        assert (notice["correct"], notice["score"]) == (None, 0)
        assert notice["msg"].startswith('<div class="capa_alert">Your submission could not be graded.')
        address = Sealer([SECRET]).open(headers[RETURN_HEADER], uuid)
        assert address.lms_header.startswith('{"lms_callback_url": "https://lms/old/')

    events = retired_in(operator)
    assert {event.submission for event in events} == {each.uuid_bytes for each in old}
    assert {event.url for event in events} == {hash_url(f"https://lms/old/{each}") for each in range(5)}
    assert {(event.queue, event.reason) for event in events} == {("openedx", "end of term")}
    assert waiting_in(operator.amqp_url) == [each.uuid for each in new]


def test_a_person_reads_what_was_done(operator: Operator) -> None:
    fill(operator, *old_ones(2), *new_ones(1))
    ran = operator.run("retire", "openedx", "--before", OLD.replace(year=OLD.year + 1).isoformat(), "--yes")
    assert ran.returncode == 0
    assert ran.stdout.startswith("retired 3 submissions of openedx that waited since before ")
    assert "the students are told; 0 newer, 0 leased and 0 unreadable stay" in ran.stdout


def test_silent_tells_no_student_and_the_ledger_all_the_same(operator: Operator) -> None:
    fill(operator, *old_ones(2))
    assert operator.json("retire", "openedx", "--before", "2h", "--yes", "--silent")["retired"] == 2
    assert take_all(operator.amqp_url, CHECKED_QUEUE) == []
    assert len(retired_in(operator)) == 2
    assert waiting_in(operator.amqp_url) == []


def test_the_students_read_the_operators_words(operator: Operator) -> None:
    fill(operator, *old_ones(1))
    operator.json("retire", "openedx", "--before", "2h", "--yes", RETIRED_MESSAGE="x < y & <script>")
    [(_, body, _)] = take_all(operator.amqp_url, CHECKED_QUEUE)
    assert json.loads(body)["msg"] == '<div class="capa_alert">x &lt; y &amp; &lt;script&gt;</div>'


def test_a_leased_one_stays_and_one_whose_lease_ran_out_goes(operator: Operator) -> None:
    running, over, new = *old_ones(2), *new_ones(1)
    fill(operator, running, over, new)
    leases = [leased_to_somebody(running, time.time() + 600), leased_to_somebody(over, OLD.timestamp() + 90)]
    write_frames(operator.amqp_url, [leases])
    told = operator.json("retire", "openedx", "--before", "2h", "--yes")
    assert (told["retired"], told["left"]["leased"], told["left"]["newer"]) == (1, 1, 1)
    assert waiting_in(operator.amqp_url) == [running.uuid, new.uuid]


def test_what_was_settled_or_superseded_goes_without_a_notice(operator: Operator) -> None:
    closed, superseded, newer = (submission(OLD + timedelta(hours=hours), "https://lms/1") for hours in (0, 1, 4))
    fill(operator, closed, superseded, newer)
    retired = Retired(time.time(), closed.uuid_bytes, "openedx", b"u", "before")
    write_frames(operator.amqp_url, [[retired, noted(superseded, "https://lms/1"), noted(newer, "https://lms/1")]])
    told = operator.json("retire", "openedx", "--before", "2h", "--yes")
    assert (told["retired"], told["cleared"]) == (0, 2)
    assert take_all(operator.amqp_url, CHECKED_QUEUE) == []
    events = events_in(operator.amqp_url)
    assert [event.submission for event in events if isinstance(event, Superseded)] == [superseded.uuid_bytes]
    assert waiting_in(operator.amqp_url) == [newer.uuid]


def test_two_copies_of_one_submission_are_one_to_the_student(operator: Operator) -> None:
    [twice] = old_ones(1)
    fill(operator, twice, twice)
    assert operator.json("retire", "openedx", "--before", "2h", "--yes")["retired"] == 1
    assert len(take_all(operator.amqp_url, CHECKED_QUEUE)) == 1
    assert waiting_in(operator.amqp_url) == []


def test_what_is_no_submission_and_what_another_key_sealed_is_no_obstacle(operator: Operator) -> None:
    [old] = old_ones(1)
    stranger = Sealer(["another secret, of another XQueue, long enough"])
    foreign = submission(OLD, "https://lms/1")
    sealed = stranger.seal(Sealer([SECRET]).open(foreign.sealed_return, foreign.uuid))
    foreign = Submission(foreign.uuid, "openedx", "work", sealed, submitted_at=OLD)
    with pika_channel(operator.amqp_url) as channel:
        channel.basic_publish("", submissions_queue("openedx"), b"junk", pika.BasicProperties(delivery_mode=2))
    fill(operator, foreign, old)
    told = operator.json("retire", "openedx", "--before", "2h", "--yes")
    assert (told["retired"], told["left"]["unreadable"]) == (2, 1)
    assert {event.submission: event.url for event in retired_in(operator)}[foreign.uuid_bytes] == b""
    assert [body for _, body, _ in take_all(operator.amqp_url, submissions_queue("openedx"))] == [b"junk"]


async def test_what_a_gateway_holds_for_a_moment_is_met_when_it_comes_back(operator: Operator) -> None:
    held, other = old_ones(2)
    await submit(operator.amqp_url, [held])
    with pika_channel(operator.amqp_url) as channel:
        method, *_ = channel.basic_get(submissions_queue("openedx"))
        await submit(operator.amqp_url, [other])
        tally = Tally()
        running = asyncio.create_task(retirement(operator).retire(tally))
        await eventually(lambda: tally.retired == 1)
        channel.basic_nack(method.delivery_tag, requeue=True)
        await running
    assert tally.retired == 2


@pytest.mark.parametrize(("number", "prefetch"), [(95, 20), (700, 150), (1_200, 1_000)])
async def test_more_than_a_prefetch_that_stays_is_put_back_in_its_order(
    operator: Operator, number: int, prefetch: int
) -> None:
    old = [submission(OLD + timedelta(seconds=each), f"https://lms/{each}") for each in range(number)]
    new = new_ones(prefetch * 2 + 50)
    await submit(operator.amqp_url, [*old, *new])
    leases = [leased_to_somebody(each, time.time() + 600) for each in old]
    await asyncio.to_thread(write_frames, operator.amqp_url, [leases])
    tally = await retirement(operator, prefetch).retire(Tally())
    assert (tally.retired, tally.leased) == (0, number)
    # Behind a prefetch of newer ones stand only newer ones, and they are not looked at.
    assert prefetch <= tally.newer < len(new)
    assert await asyncio.to_thread(waiting_in, operator.amqp_url) == [each.uuid for each in [*old, *new]]


async def test_more_leased_ones_than_a_prefetch_hide_nothing(
    operator: Operator,
) -> None:
    old = old_ones(60)
    await submit(operator.amqp_url, old)
    leases = [leased_to_somebody(each, time.time() + 600) for each in old[:45]]
    await asyncio.to_thread(write_frames, operator.amqp_url, [leases])
    tally = await retirement(operator, prefetch=20).retire(Tally())
    assert (tally.retired, tally.leased) == (15, 45)
    assert await asyncio.to_thread(waiting_in, operator.amqp_url) == [each.uuid for each in old[:45]]


def retirement(operator: Operator, prefetch: int = 1_000) -> Retirement:
    settings = Settings(amqp_url=operator.amqp_url, secret_key=SECRET, xqueues={"openedx": None})
    plan = Plan("openedx", NOW - timedelta(hours=2), "because", "ned", "Sorry.")
    return Retirement(settings, plan, lambda _: None, prefetch)


# What goes wrong.


def test_a_queue_that_the_settings_do_not_know_is_said_with_those_that_they_do(operator: Operator) -> None:
    assert "no queue 'opendx'; there are: openedx, q.2" in operator.refused("retire", "opendx", "--before", "2h")


def test_a_queue_that_was_not_declared_is_said(operator: Operator) -> None:
    line = operator.refused("retire", "new", "--before", "2h", "--yes", XQUEUES='{"new": null}')
    assert "queue 'xqueue.submissions.new' is missing: run `xqueue-broker declare`" in line


def test_the_secret_key_is_needed(operator: Operator) -> None:
    settings = operator.settings()
    del settings["SECRET_KEY"]
    ran = run("retire", "openedx", "--before", "2h", **settings)
    assert ran.returncode == 1
    assert "SECRET_KEY is not set" in one_line(ran.stderr)


def test_no_broker_is_said() -> None:
    line = Operator("amqp://xqueue:hunter2@127.0.0.1:1/").refused("retire", "openedx", "--before", "2h")
    assert "can't connect to the broker" in line
    assert "hunter2" not in line


def test_a_missing_ledger_is_said(operator: Operator) -> None:
    with pika_channel(operator.amqp_url) as channel:
        channel.queue_delete("xqueue.ledger")
    assert "xqueue-broker declare" in operator.refused("retire", "openedx", "--before", "2h", "--yes")


def test_a_time_to_come_is_pointed_out(operator: Operator) -> None:
    ran = operator.run("retire", "openedx", "--before", "2099-01-01")
    assert "--before 2099-01-01 is in the future: that is all that waits" in ran.stderr
