"""`trace`: what happened to a submission, as a table or JSON."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import typer
from rich.table import Table

from broker_setup.errors import ArgumentError
from broker_setup.ledger.events import (
    Amended,
    AnyEvent,
    Delivered,
    Discarded,
    Extended,
    Leased,
    Parked,
    Redriven,
    Released,
    Retired,
    Superseded,
    Undeliverable,
    hash_url,
)
from broker_setup.operator.console import (
    AsJson,
    add_row,
    in_one_line,
    iso,
    moment,
    settings_of,
    show_table,
    shown,
    span,
)
from broker_setup.operator.filters import SIGNS, warn_of_unknown_queue
from broker_setup.operator.read_ledger import read_ledger
from broker_setup.operator.trace.asking import told_by_console
from broker_setup.operator.trace.history import SETTLED, History, Sighting, Step, Timeline, Wanted
from broker_setup.visible import visible
from broker_setup.wire.properties import submission_id_of

# Writers' clocks, and the chunk that an event stands in, may be this far off.
SLACK = timedelta(minutes=5)
UUID_DIGITS = 32
LEASE_DIGITS = 8
_TIMES = {"expires_at", "available_at", "tell_at", "until"}


def trace(
    subject: Annotated[
        str | None, typer.Argument(help="A submission id, a uuid, or a whole callback URL.", show_default=False)
    ] = None,
    *,
    queue: Annotated[str | None, typer.Option(help="Submissions of this queue instead.", show_default=False)] = None,
    since: Annotated[
        str | None, typer.Option(help="With something happening since: 2h, 3d, or ISO 8601 (UTC).", show_default=False)
    ] = None,
    until: Annotated[str | None, typer.Option(help="... and before.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest of them, this many at most.")] = 20,
    from_ledger: Annotated[bool, typer.Option("--ledger", help="Read the ledger, whatever a console knows.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the timeline of a submission, from the ledger: when, what, how long after, who wrote it down.

    A console that runs (CONSOLE_URL, or CONSOLE_HOST and CONSOLE_PORT) is asked first, and answers at once. Where none
    does, or none knows of it, and for --json, all of the ledger is read, up to LEDGER_MAX_AGE back; with --queue or a
    time it is read twice.
    """
    settings = settings_of()
    url = settings.amqp_url.get_secret_value()
    by_place = queue is not None or since is not None or until is not None
    if (subject is not None) == by_place:
        raise ArgumentError(
            "say either which submission (an id, a uuid or a callback URL) or --queue, --since, --until"
        )
    warn_of_unknown_queue(queue, settings)
    wanted = by_subject(subject) if subject is not None else None
    timelines: list[Timeline] = []
    if subject is not None and not from_ledger and not as_json:
        timelines = told_by_console(settings, subject.strip(SIGNS))[-limit:]
    if not timelines:
        history = History(wanted or _seen(url, queue, since, until, limit))
        read_ledger(url, history.take)
        timelines = history.newest(limit)
    now = datetime.now(UTC).timestamp()
    if as_json:
        print(json.dumps({"submissions": [as_dict(timeline, now) for timeline in timelines]}))
    else:
        for timeline in timelines:
            _print(timeline, now)
    if not timelines:
        raise ArgumentError("the ledger knows of none in the last LEDGER_MAX_AGE; look at the id or the queue's name")


def by_subject(subject: str) -> Wanted:
    """Pick out what an operator typed: a uuid, an id, or a callback URL; raise ArgumentError if it is none."""
    if "://" in subject:
        url = hash_url(subject)
        return lambda event: url in {getattr(event, "url", None), getattr(event, "url_alone", None)}
    subject = subject.strip(SIGNS)
    digits = subject.replace("-", "")
    if len(digits) == UUID_DIGITS:
        try:
            uuid = UUID(digits).bytes
        except ValueError:
            raise ArgumentError(f"{subject!r} is no uuid") from None
        return lambda event: event.submission == uuid
    if subject.isascii() and subject.isdigit():
        number = int(subject)
        return lambda event: submission_id_of(event.submission) == number
    raise ArgumentError(f"{subject!r} is no submission id (a number), uuid (32 hex digits) or callback URL")


def _seen(url: str, queue: str | None, since: str | None, until: str | None, limit: int) -> Wanted:
    now = datetime.now(UTC)
    begin = moment(since, now) if since else None
    first = begin.timestamp() if begin else 0.0
    last = (moment(until, now) if until else now + SLACK).timestamp()

    def wanted(event: AnyEvent) -> bool:
        return bool(event.submission) and first <= event.at < last and queue in {None, getattr(event, "queue", "")}

    sighting = Sighting(wanted, limit)
    read_ledger(url, sighting.take, since=begin - SLACK if begin else None)
    return lambda event: event.submission in sighting.submissions


def as_dict(timeline: Timeline, now: float) -> dict[str, Any]:
    """Make a timeline's JSON: times in ISO 8601, durations in seconds, bytes in hex."""
    steps = timeline.by_time()
    ended = timeline.lease_ended(now)
    return {
        "submission_id": timeline.submission_id,
        "uuid": timeline.submission.hex(),
        "queue": timeline.queue,
        "standing": timeline.standing(now),
        "lease_ended": None if ended is None else iso(ended),
        "events": [
            {
                "at": iso(step.event.at),
                "event": step.name,
                "writer": step.writer,
                "void": step.void,
                "seconds_since_last": round(_after(before, step), 3) if before else None,
                **{name: iso(value) if name in _TIMES and value else value for name, value in step.details().items()},
            }
            for before, step in zip([None, *steps], steps, strict=False)
        ],
    }


def standing(timeline: Timeline, now: float) -> str:
    """Say for a person what has become of a submission; of a lease that ran out also when, as its table has the day."""
    ended = timeline.lease_ended(now)
    said = timeline.standing(now)
    return said if ended is None else f"{said} (lease ended {datetime.fromtimestamp(ended, UTC):%H:%M:%S})"


def _after(before: Step, step: Step) -> float:
    # The submit stands first even where the clock of who wrote it is ahead.
    return max(0.0, step.event.at - before.event.at)


def _print(timeline: Timeline, now: float) -> None:
    title = f"submission {timeline.submission_id}  {timeline.submission.hex()}"
    if timeline.queue:
        title += f"  of {timeline.queue}"
    print(visible(f"{title}: {standing(timeline, now)}"))
    if timeline.standing(now) == SETTLED:
        print(f"its result is on its way to the LMS: xqueue-broker results list --uuid {timeline.submission.hex()}")
    table = Table("time", *in_one_line("after"), "event", "details", "written by")
    before: Step | None = None
    for step in timeline.by_time():
        after = "" if before is None else span(_after(before, step))
        details = (["void"] if step.void else []) + describe(step.event)
        add_row(table, shown(step.event.at), after, step.name, ", ".join(details), step.writer)
        before = step
    show_table(table)


def describe(event: AnyEvent) -> list[str]:
    """Say what an event has to say, for a person."""
    said: list[str] = []
    match event:
        case Leased():
            said = _lease(event)
        case Extended():
            said = [event.refused or f"until {shown(event.expires_at)}"]
        case Released():
            said = ["failed"] if event.failed else []
            if event.available_at > event.at:
                said.append(f"not before {shown(event.available_at)}")
        case Amended():
            said = [f"amendment {event.amendment}"]
        case Superseded():
            said = [f"by {submission_id_of(event.by)}  {event.by.hex()}"]
        case Retired() | Parked() | Undeliverable() | Discarded():
            said = [event.reason]
        case Redriven():
            said = [f"redrive {event.number}"]
        case Delivered():
            said = [f"after {event.attempts} tr{'y' if event.attempts == 1 else 'ies'}"]
    return said + _details(event)


def _lease(event: Leased) -> list[str]:
    if event.attempt == 0:  # its time may have been over before it came here
        return [f"taken from the original XQueue, until {shown(event.expires_at)}"]
    said = [f"until {shown(event.expires_at)} ({span(event.expires_at - event.at)})", f"attempt {event.attempt}"]
    return [*said, f"by {event.grader}"] if event.grader else said


def _details(event: AnyEvent) -> list[str]:
    """Say what events of several kinds have."""
    said = ["the student's notice"] if getattr(event, "notice", False) else []
    if tell_at := getattr(event, "tell_at", 0.0):
        said.append(f"its student is told at {shown(tell_at)}")
    if odd := getattr(event, "odd", ""):
        said.append(f"its author is warned: {odd}")
    # Enough of the key's hash to tell the leases of one submission apart.
    if key := getattr(event, "key", b""):
        said.append(f"lease {key.hex()[:LEASE_DIGITS]}")
    if isinstance(by := getattr(event, "by", None), str) and by:
        said.append(f"by {by}")
    return said
