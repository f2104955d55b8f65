"""What is said of a graded submission whose result the LMS has not taken."""

from datetime import UTC, datetime

from broker_setup.operator.results.waiting_results import WaitingResult
from broker_setup.operator.trace.history import Timeline
from broker_setup.wire.waits import Wait
from gateway.console.known.broker_look import QueueLook
from gateway.console.known.rungs import Rungs
from gateway.console.known.standings import State
from gateway.console.pages.what_now import Circumstances, what_now

NOW = 1_700_000_000.0
LMS = "https://lms.example"
OURS, ANOTHER = "0" * 31 + "1", "0" * 31 + "2"


def waiting(uuid: str, origin: str = LMS) -> WaitingResult:
    until = datetime.fromtimestamp(NOW + 5, UTC)
    return WaitingResult(uuid, "5s", Wait(until=until, origin=origin, queue="openedx", reason="refused"), 3, None)


def said(rungs: Rungs, health: str | None = None) -> str:
    around = Circumstances(
        uuid=OURS,
        now=NOW,
        look=QueueLook(NOW),
        last_taken=None,
        before=0,
        lease=None,
        rungs=rungs,
        origin=LMS,
        health=health,
        kind="pull",
    )
    return " ".join(what_now(State.GRADED, Timeline(bytes.fromhex(OURS)), around).sentences)


def test_a_result_on_a_rung_says_why_how_often_and_when() -> None:
    seen = {OURS: waiting(OURS)}
    text = said(Rungs(seen, seen), "sick")
    assert text.startswith(f"The LMS {LMS} did not take it: refused. That was tried 3 times. It is tried again at ")
    assert "takes this LMS for away" in text


def test_a_result_between_two_rungs_says_why_it_was_on_one() -> None:
    text = said(Rungs({}, {OURS: waiting(OURS)}))
    assert "did not take it: refused" in text
    assert "with the relay at this moment" in text
    assert "tried again at" not in text


def test_a_result_that_was_not_seen_tells_why_others_of_its_lms_wait() -> None:
    text = said(Rungs({}, {ANOTHER: waiting(ANOTHER)}))
    assert f"The LMS {LMS} did not take others, which wait for another try: refused." in text


def test_why_another_queues_result_waits_is_left_out() -> None:
    rungs = Rungs({}, {ANOTHER: waiting(ANOTHER)})
    assert rungs.of("openedx") == rungs
    assert "refused" not in said(rungs.of("other"))


def test_what_waits_for_another_lms_says_nothing_of_this_one() -> None:
    text = said(Rungs({}, {ANOTHER: waiting(ANOTHER, "https://another.example")}, at_once=1))
    assert text == "The relay has it, or takes it next (1 result before it). Is one running?"
