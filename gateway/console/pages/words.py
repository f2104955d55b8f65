"""What happened to a submission, in words for who knows the course and not the machinery; no I/O."""

from datetime import UTC, datetime

from broker_setup.ledger.events import (
    Acted,
    Amended,
    AnyEvent,
    Delivered,
    Discarded,
    Expired,
    Extended,
    Graded,
    Leased,
    Parked,
    Redriven,
    Released,
    Retired,
    Submitted,
    Superseded,
    Undeliverable,
)
from broker_setup.operator.console import span
from broker_setup.visible import numbered, visible
from broker_setup.wire.properties import submission_id_of
from gateway.console.known.standings import State

STATES = {
    State.UNKNOWN: "not known",
    State.WAITING: "waiting for a grader",
    State.LEASED: "being graded",
    State.GRADED: "graded, on its way to the LMS",
    State.DELIVERED: "delivered to the LMS",
    State.SUPERSEDED: "superseded by a newer one",
    State.RETIRED: "taken out by an operator",
    State.PARKED: "parked: not graded",
    State.UNDELIVERED: "parked: result not delivered",
    State.DISCARDED: "result discarded",
}
UNNAMED_GRADER = "a grader"


def shown(at: float) -> str:
    """Write a moment: the day and the second, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%d %b %H:%M:%S} UTC"


def ago(at: float, now: float) -> str:
    """Say how long ago a moment was, or how long it is to it."""
    if abs(now - at) < 1:
        return "just now"
    return f"{span(now - at)} ago" if now >= at else f"in {span(at - now)}"


def told(event: AnyEvent) -> str:
    """Say what happened, in a sentence."""
    return visible(_told(event))


def _told(event: AnyEvent) -> str:  # noqa: C901, PLR0911, PLR0912 - a table: one sentence for each kind
    match event:
        case Submitted():
            return "The LMS handed it in."
        case Leased() if event.attempt == 0:
            return f"A grader had taken it from the original XQueue, until {shown(event.expires_at)}."
        case Leased():
            who = f"“{event.grader}”" if event.grader else UNNAMED_GRADER
            return f"Given to {who} for grading (attempt {event.attempt}), until {shown(event.expires_at)}."
        case Extended() if event.refused:
            return f"The grader's reply was refused: {event.refused}"
        case Extended():
            return f"The grader asked for more time, and has it until {shown(event.expires_at)}."
        case Released():
            why = "said that it could not grade it" if event.failed else "gave it back"
            later = (
                f" It is handed out again from {shown(event.available_at)} on." if event.available_at > event.at else ""
            )
            return f"The grader {why}.{later}"
        case Expired():
            return "The grader did not answer in its time; it is handed out again."
        case Graded():
            odd = f" Its author is warned: {event.odd}" if event.odd else ""
            return ("The grader handed in a result." if event.key else "A grader handed in a result over AMQP.") + odd
        case Amended():
            return "The grader handed in another result for the same work."
        case Superseded():
            return f"Given up: the same student handed in again, as submission {submission_id_of(event.by)}."
        case Retired():
            return f"{event.by or 'An operator'} took it out: {event.reason}"
        case Parked():
            return f"Set aside (parked): {event.reason}.{_notice(event.tell_at)}"
        case Delivered() if event.notice:
            return "The student was told that there will be no result."
        case Delivered():
            return f"The LMS took the result, at try {event.attempts}."
        case Undeliverable() if event.notice:
            return f"The student could not be told that there will be no result: {event.reason}"
        case Undeliverable():
            return f"The result was not delivered, and is set aside (parked): {event.reason}.{_notice(event.tell_at)}"
        case Redriven():
            return f"{event.by or 'An operator'} sent it back to its graders (time {event.number})."
        case Discarded():
            return f"{event.by or 'XQueue'} discarded the result: {event.reason}"
        case Acted():
            return f"{event.by or 'An operator'}: {event.act}."


def _notice(tell_at: float) -> str:
    return f" The student is told at {shown(tell_at)}, unless somebody acts before." if tell_at else ""


def many(number: int, noun: str) -> str:
    """Say how many, `no` for none."""
    return numbered(number, noun) if number else f"no {noun}s"
