"""`parked list`, `show`, `redrive` and `discard`: what was set aside, and what becomes of it."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker_setup.errors import ArgumentError
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.console import AsJson, settings_of
from broker_setup.operator.filters import warn_of_unknown_queue
from broker_setup.operator.parked.options import (
    All,
    AlthoughTold,
    Limit,
    NewerThan,
    OlderThan,
    Origin,
    Queue,
    Rate,
    ReasonPattern,
    Results,
    Submissions,
    Uuid,
    Yes,
    chosen,
    kinds_of,
    named,
    selection_of,
)
from broker_setup.operator.parked.runs import DISCARD, REDRIVE, Run, do, look
from broker_setup.operator.parked.views import (
    groups_as_dicts,
    met_as_dict,
    parked_as_dict,
    print_groups,
    print_met,
    print_parked,
)
from broker_setup.operator.parked.walk import Met
from broker_setup.operator.plain_help import PlainTyper

if TYPE_CHECKING:
    from broker_setup.wire.parked import ParkedMessage

# A subject can name several: results that amend each other, copies of one.
MAX_SHOWN = 20

parked = PlainTyper(
    help="Look at what was parked, send it on its way again, or discard it.", no_args_is_help=True, add_completion=False
)


@parked.command("list")
def list_(
    *,
    results: Results = False,
    submissions: Submissions = False,
    queue: Queue = None,
    origin: Origin = None,
    reason: ReasonPattern = None,
    uuid: Uuid = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    limit: Annotated[int, typer.Option(min=1, help="List this many at most, the oldest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Say what is parked and why: a summary, then one by one.

    Looking takes the messages out for a moment and puts them back in their order; another operator does not see them
    meanwhile.
    """
    selection = selection_of(
        queue=queue, origin=origin, reason=reason, uuid=uuid, older_than=older_than, newer_than=newer_than
    )
    settings = settings_of()
    warn_of_unknown_queue(queue, settings)
    seen: list[ParkedMessage] = []

    def see(met: Met) -> None:
        if len(seen) < limit:
            seen.append(met.parked)

    tally = look(Run(settings, kinds_of(results=results, submissions=submissions), selection), see)
    now = datetime.now(UTC)
    if as_json:
        told = {"parked": tally.selected, "groups": groups_as_dicts(tally)}
        print(json.dumps(told | {"messages": [parked_as_dict(each, now) for each in seen]}))
        return
    print_groups(tally, now)
    print_parked(seen, now)
    if tally.selected > len(seen):
        print(f"and {tally.selected - len(seen)} more: --limit lists more of them")


@parked.command()
def show(
    subject: Annotated[str, typer.Argument(help="A uuid, a submission id, or - for what has neither.")],
    *,
    results: Results = False,
    submissions: Submissions = False,
    full: Annotated[bool, typer.Option("--full", help="The whole body and headers.")] = False,
    body_to: Annotated[
        Path | None, typer.Option(help="Write the body to this file, byte for byte.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show all that is known of a parked message; sealed return addresses stay sealed."""
    settings = settings_of()
    found: list[Met] = []
    look(Run(settings, kinds_of(results=results, submissions=submissions), named(subject), MAX_SHOWN), found.append)
    if not found:
        raise ArgumentError(f"nothing that is parked is called {subject!r}: `parked list` has the names")
    if body_to is not None:
        if len(found) > 1:
            raise ArgumentError(f"{len(found)} messages are called {subject!r}: --results or --submissions may tell")
        _write(body_to, found[0].message.body)
    if as_json:
        print(json.dumps({"messages": [met_as_dict(each, settings.secrets, full=full) for each in found]}))
    else:
        for each in found:
            print_met(each, settings.secrets, full=full)


@parked.command()
def redrive(
    *,
    results: Results = False,
    submissions: Submissions = False,
    queue: Queue = None,
    origin: Origin = None,
    reason: ReasonPattern = None,
    uuid: Uuid = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: All = False,
    although_told: AlthoughTold = False,
    limit: Limit = None,
    rate: Rate = 100,
    yes: Yes = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Send parked messages on their way again: results to the relay, submissions back into their queue.

    Students who were not told yet are not told then, and the result reaches the gradebook. What has a student who was
    told stays, unless --although-told is given: the LMS takes one reply for each submission, and that was the notice.

    Without --yes it only counts, and asks if you are at a terminal. Interrupted, nothing is lost; run it again.
    """
    name = who_acts(by)
    selection = chosen(
        selection_of(
            queue=queue, origin=origin, reason=reason, uuid=uuid, older_than=older_than, newer_than=newer_than
        ),
        everything=everything,
    )
    settings = settings_of()
    warn_of_unknown_queue(queue, settings)
    run = Run(
        settings,
        kinds_of(results=results, submissions=submissions),
        selection,
        limit,
        although_told=although_told,
    )
    do(REDRIVE, run, lambda messages: messages.redrive(rate, by=name), yes=yes, as_json=as_json)


@parked.command()
def discard(
    *,
    results: Results = False,
    submissions: Submissions = False,
    queue: Queue = None,
    origin: Origin = None,
    reason: ReasonPattern = None,
    uuid: Uuid = None,
    older_than: OlderThan = None,
    newer_than: NewerThan = None,
    everything: All = False,
    because: Annotated[str, typer.Option(help="For the ledger.")] = "discarded by an operator",
    limit: Limit = None,
    rate: Rate = 1_000,
    yes: Yes = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Take parked messages out for good; the ledger hears of it, and students who were not told yet never are.

    Without --yes it only counts, and asks if you are at a terminal.
    """
    name = who_acts(by)
    selection = chosen(
        selection_of(
            queue=queue, origin=origin, reason=reason, uuid=uuid, older_than=older_than, newer_than=newer_than
        ),
        everything=everything,
    )
    because = because.encode(errors="replace").decode()
    settings = settings_of()
    warn_of_unknown_queue(queue, settings)
    run = Run(settings, kinds_of(results=results, submissions=submissions), selection, limit)
    do(DISCARD, run, lambda messages: messages.discard(because, rate, by=name), yes=yes, as_json=as_json)


def _write(path: Path, body: bytes) -> None:
    try:
        # A student's work: for whoever looks at it alone.
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(body)
    except OSError as error:
        raise ArgumentError(f"can't write {path}: {error.strerror}") from error
