"""The options of the `parked` commands, and what they select."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from broker_setup.errors import ArgumentError
from broker_setup.operator.console import moment
from broker_setup.operator.filters import SIGNS, origin_meant, uuid_meant
from broker_setup.operator.parked.selection import Selection
from broker_setup.wire.parked import Kind
from broker_setup.wire.properties import is_uuid

# How `show` calls a message that has neither a uuid nor any other name.
NAMELESS = "-"

Results = Annotated[bool, typer.Option("--results", help="Only results.")]
Submissions = Annotated[bool, typer.Option("--submissions", help="Only submissions.")]
Queue = Annotated[str | None, typer.Option(help="Of this course queue.", show_default=False)]
Origin = Annotated[
    str | None,
    typer.Option(help="For this LMS, such as https://lms.example; * stands for anything.", show_default=False),
]
ReasonPattern = Annotated[
    str | None, typer.Option(help="With this in the reason, in any case; * stands for anything.", show_default=False)
]
Uuid = Annotated[str | None, typer.Option(help="Of this submission.", show_default=False)]
OlderThan = Annotated[str | None, typer.Option(help="Parked before: 2h, 3d, or ISO 8601 (UTC).", show_default=False)]
NewerThan = Annotated[str | None, typer.Option(help="Parked since: 2h, 3d, or ISO 8601 (UTC).", show_default=False)]
Limit = Annotated[int | None, typer.Option(min=1, help="The oldest of them, this many at most.", show_default=False)]
Rate = Annotated[int, typer.Option(min=1, help="Messages a second, at the most.")]
AlthoughTold = Annotated[
    bool,
    typer.Option(
        "--although-told",
        help="Also those whose students were told that there will be no result: the LMS ignores what comes after that.",
    ),
]
All = Annotated[bool, typer.Option("--all", help="Everything that is parked; without a filter, this is needed.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")]


def kinds_of(*, results: bool, submissions: bool) -> tuple[Kind, ...]:
    """Say which kinds are meant; both, where neither or both are."""
    if results == submissions:
        return tuple(Kind)
    return (Kind.RESULT,) if results else (Kind.SUBMISSION,)


def selection_of(
    *,
    queue: str | None,
    origin: str | None,
    reason: str | None,
    uuid: str | None,
    older_than: str | None,
    newer_than: str | None,
) -> Selection:
    """Read the filters; raise ArgumentError for one that can't be read."""
    now = datetime.now(UTC)
    return Selection(
        queue=queue,
        origin=origin_meant(origin),
        reason=reason,
        correlation_id=uuid_meant(uuid),
        before=moment(older_than, now) if older_than else None,
        since=moment(newer_than, now) if newer_than else None,
    )


def chosen(selection: Selection, *, everything: bool) -> Selection:
    """Return the selection; raise ArgumentError unless it names some, or `everything` is meant."""
    if selection.is_all != everything:
        raise ArgumentError(
            "say either which (--queue, --origin, --reason, --uuid, --older-than, --newer-than) or --all"
        )
    return selection


def named(subject: str) -> Selection:
    """Select what has this uuid, this submission id, or this name of a stranger's."""
    if subject == NAMELESS:
        return Selection(correlation_id="")
    digits = subject.strip(SIGNS).replace("-", "").lower()
    if is_uuid(digits):
        return Selection(correlation_id=digits)
    if subject.isascii() and subject.isdigit():
        return Selection(submission_id=int(subject))
    return Selection(correlation_id=subject)  # a stranger's message, by what stands in the list
