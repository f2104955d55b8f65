"""What a submission waits for now, and when it goes on: the answer to "pending for two hours: why?"; no I/O."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from broker_setup.ledger.answers import Lease
from broker_setup.ledger.events import Acted, Leased, Parked, Released, Superseded, Undeliverable
from broker_setup.operator.console import span
from broker_setup.operator.trace.history import Timeline
from broker_setup.visible import numbered, visible
from broker_setup.wire.properties import submission_id_of
from gateway.console.known.broker_look import QueueLook
from gateway.console.known.lately import GraderSeen
from gateway.console.known.rungs import Rungs
from gateway.console.known.standings import State
from gateway.console.pages.words import ago, shown

# Somebody who asked so long ago is taken to ask still: graders poll every few seconds, some every minute.
STILL_ASKS_SECONDS = 90.0


class Now(NamedTuple):
    """What is to be said of a submission: in a line, and then what follows from it."""

    headline: str
    sentences: list[str]


@dataclass(frozen=True)
class Circumstances:
    """What is known beside a submission's own history."""

    uuid: str
    now: float
    look: QueueLook
    last_taken: GraderSeen | None
    before: int  # how many wait before it
    lease: Lease | None
    rungs: Rungs
    origin: str  # of its LMS
    health: str | None  # of that, as a relay calls it
    kind: str  # how the queue's graders work: "pull", "passive" or "amqp"
    paused: Acted | None = None


def what_now(state: State, timeline: Timeline, around: Circumstances) -> Now:
    """Say what a submission waits for."""
    sentences = {
        State.WAITING: _waiting,
        State.LEASED: _leased,
        State.GRADED: _graded,
        State.PARKED: _parked,
        State.UNDELIVERED: _parked,
        State.SUPERSEDED: _superseded,
    }.get(state)
    said = [visible(each) for each in sentences(timeline, around)] if sentences else []
    return Now(_HEADLINES[state], said)


_HEADLINES = {
    State.UNKNOWN: "It is not known how it stands: what happened before is not in the ledger any more.",
    State.WAITING: "It waits for a grader.",
    State.LEASED: "It is being graded.",
    State.GRADED: "It is graded, and its result waits to be taken by the LMS.",
    State.DELIVERED: "It is done: the LMS has its result.",
    State.SUPERSEDED: "It is done: the student handed in again, and the newer submission is graded in its place.",
    State.RETIRED: "It is done: an operator took it out, and it is not graded.",
    State.PARKED: "It was set aside without a grade. An operator has to redrive it or to discard it.",
    State.UNDELIVERED: "It is graded, but its result was not delivered and is set aside. An operator can redrive it.",
    State.DISCARDED: "It is done: its result was discarded.",
}


def _waiting(timeline: Timeline, around: Circumstances) -> Iterator[str]:
    now = around.now
    if around.paused:
        until = f" until {shown(around.paused.until)}" if around.paused.until else ""
        yield f"The queue is paused by {around.paused.by}{until}: {around.paused.reason or 'no reason was given'}."
    yield _who_asks(around)
    if around.last_taken:
        seen = around.last_taken
        yield (
            f"The last submission of this queue was taken {ago(seen.last_at, now)}"
            f"{f' by “{seen.grader}”' if seen.grader else ''}."
        )
    else:
        yield "Nobody has taken a submission of this queue in the time that the console knows."
    yield f"{numbered(around.before, 'submission')} of this queue wait before it." if around.before else "It is next."
    if attempts := [step.event for step in timeline.steps if isinstance(step.event, Leased) and not step.void]:
        yield f"It was handed out {numbered(len(attempts), 'time')} before, and came back without a result."
    last = timeline.steps[-1].event if timeline.steps else None
    if isinstance(last, Released) and last.available_at > now:
        yield f"It is handed out again from {shown(last.available_at)} on ({ago(last.available_at, now)})."


_THEIR_TURN = "Whoever runs that has to start it, or to see what keeps it away."


def _who_asks(around: Circumstances) -> str:
    look, now = around.look, around.now
    whose = {
        "pull": "No grader has asked for this queue's work",
        "passive": "The bridge (xqueue-passive), which calls this queue's grader, was not connected to the broker",
        "amqp": "No AMQP grader was connected to this queue",
    }[around.kind]
    if look.seen_at is None:
        return "The broker can't be asked at the moment whether anybody asks for this queue's work."
    if look.asked_at is None:
        return f"{whose} for {span(now - look.since)}: since this console began to look. {_THEIR_TURN}"
    if now - look.asked_at > STILL_ASKS_SECONDS:
        return f"{whose} for {span(now - look.asked_at)}. {_THEIR_TURN}"
    return "Graders ask for this queue's work at the moment."


def _leased(timeline: Timeline, around: Circumstances) -> Iterator[str]:
    lease = around.lease
    if lease is None:
        return
    left = lease.expires_at - around.now
    granted = [step.event for step in timeline.steps if isinstance(step.event, Leased) and not step.void]
    who = f"“{granted[-1].grader}”" if granted and granted[-1].grader else "A grader"
    yield f"{who} has it since {shown(lease.granted_at)}, attempt {lease.attempt}."
    if left > 0:
        yield f"If there is no result by {shown(lease.expires_at)} (in {span(left)}) it is handed out again."
    else:
        yield "Its time is over: it is handed out to the next grader who asks."


def _graded(_: Timeline, around: Circumstances) -> Iterator[str]:
    rungs = around.rungs
    result = rungs.lately.get(around.uuid)
    others = [each for each in rungs.lately.values() if each.wait.origin == around.origin]
    if result:
        wait = result.wait
        yield f"The LMS {wait.origin} did not take it: {wait.reason or 'the reason is not known'}."
        yield f"That was tried {numbered(result.tries, 'time')}."
        if around.uuid not in rungs.results:
            yield "It is with the relay at this moment, for another try."
        elif wait.until:
            at = wait.until.timestamp()
            yield f"It is tried again at {shown(at)} ({ago(at, around.now)}), or as soon as the LMS is back."
        yield "It goes on by itself, and nothing is lost: whoever runs the LMS has to see why it takes no results."
    elif rungs.problem:
        yield f"What the relay does with it can't be looked up: {rungs.problem}."
    elif rungs.unseen:
        yield f"{rungs.unseen} results wait for another try, too many to look through: it is likely one of them."
    elif others:
        why = others[0].wait.reason or "the reason is not known"
        yield f"The LMS {around.origin} did not take others, which wait for another try: {why}."
        yield "It is with the relay at this moment, or on its way there."
    else:
        yield f"The relay has it, or takes it next ({numbered(rungs.at_once, 'result')} before it). Is one running?"
    if around.health in {"sick", "condition"}:
        yield "The relay takes this LMS for away: it tries one result now and then, and sends all when one is taken."


def _parked(timeline: Timeline, around: Circumstances) -> Iterator[str]:
    event = next(
        (step.event for step in reversed(timeline.steps) if isinstance(step.event, Parked | Undeliverable)), None
    )
    if event is None:
        return
    yield f"Why: {event.reason}. See to that first: redriven before, it comes back here."
    if event.tell_at > around.now:
        yield (
            f"The student is told at {shown(event.tell_at)} ({ago(event.tell_at, around.now)}) that there will be no "
            "result. Until then a redrive reaches the gradebook."
        )
    elif event.tell_at:
        yield "The student has been told that there will be no result: the LMS ignores what comes after that."


def _superseded(timeline: Timeline, _: Circumstances) -> Iterator[str]:
    for step in timeline.steps:
        if isinstance(step.event, Superseded) and not step.void:
            yield f"The newer one is submission {submission_id_of(step.event.by)} ({step.event.by.hex()})."
