"""How parked messages are shown: to a person as tables, to a program as JSON; secrets to nobody."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from rich.table import Table

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.operator.console import add_row, cell, in_one_line, iso, show_table, shown, span
from broker_setup.operator.parked.selection import Tally
from broker_setup.operator.parked.walk import Met
from broker_setup.visible import visible
from broker_setup.wire.parked import ParkedMessage
from broker_setup.wire.properties import RETURN_HEADER
from broker_setup.wire.return_address import Sealer

# What is shown of a body, and of a header, unless all of it is asked for.
BODY_CHARACTERS = 2_000
HEADER_CHARACTERS = 200
# Enough of a sealed return address to compare two by.
SEALED_CHARACTERS = 12


def print_groups(tally: Tally, now: datetime) -> None:
    """Print how many there are of each kind, queue, LMS and reason."""
    print(f"{tally.selected} parked")
    if not tally.selected:
        return
    table = Table("number", "what", "queue", "LMS", *in_one_line("oldest", "newest"), "reason")
    for group, count in tally.groups().items():
        add_row(
            table,
            str(count.number),
            group.kind,
            group.queue,
            group.origin,
            _age(count.oldest, now),
            _age(count.newest, now),
            group.reason,
        )
    show_table(table)


def groups_as_dicts(tally: Tally) -> list[dict[str, Any]]:
    """Make the JSON of the same."""
    return [
        {
            "number": count.number,
            "what": group.kind,
            "queue": group.queue,
            "origin": group.origin,
            "reason": group.reason,
            "oldest": _iso(count.oldest),
            "newest": _iso(count.newest),
        }
        for group, count in tally.groups().items()
    ]


def print_parked(messages: Sequence[ParkedMessage], now: datetime) -> None:
    """Print one row for each message."""
    if not messages:
        return
    table = Table(
        *("parked", "what", "queue", "LMS", "tries"),
        *in_one_line("age"),
        *("bytes", "submission id", "uuid", "student", "reason"),
    )
    for each in messages:
        add_row(
            table,
            shown(each.parked_at.timestamp()) if each.parked_at else "",
            each.kind,
            each.queue,
            each.origin,
            str(each.attempts),
            _age(each.sent_at, now),
            str(each.size),
            "" if each.submission_id is None else str(each.submission_id),
            each.correlation_id or "-",
            student(each, now),
            each.reason,
        )
    show_table(table)


def parked_as_dict(parked: ParkedMessage, now: datetime) -> dict[str, Any]:
    """Make a message's JSON: times in ISO 8601, the age of the work in seconds."""
    return {
        **_naming(parked),
        "reason": parked.reason,
        "parked_at": _iso(parked.parked_at),
        "age": None if parked.sent_at is None else round((now - parked.sent_at).total_seconds(), 3),
        "attempts": parked.attempts,
        "redriven": parked.redriven,
        "size": parked.size,
        **_telling(parked, now),
    }


def student(parked: ParkedMessage, now: datetime) -> str:
    """Say for a person whether the student knows: `told`, `to be told at ...`, or "" where nobody is told."""
    if parked.tell_at is None:
        return ""
    at = shown(parked.tell_at.timestamp()) if parked.notice_queue else ""
    if parked.is_told(now):
        return f"told at {at}" if at else "told"
    return f"to be told at {at}"


def _naming(parked: ParkedMessage) -> dict[str, Any]:
    return {
        "what": parked.kind,
        "uuid": parked.uuid.hex() if parked.uuid else None,
        "submission_id": parked.submission_id,
        "correlation_id": parked.correlation_id,
        "queue": parked.queue,
        "origin": parked.origin,
    }


def _telling(parked: ParkedMessage, now: datetime) -> dict[str, Any]:
    return {"told": parked.is_told(now), "tell_at": _iso(parked.tell_at)}


def print_met(met: Met, secrets: Sequence[str], *, full: bool) -> None:
    """Print all that is known of one message."""
    about = met_as_dict(met, secrets, full=full)
    headers, body = about.pop("headers"), about.pop("body")
    table = Table("field", "value", title=cell(f"parked {met.parked.kind} {met.parked.correlation_id}"))
    table.title_justify = "left"
    for name, value in [*about.items(), *((f"header {name}", value) for name, value in headers.items())]:
        add_row(table, name, "" if value is None else str(value))
    show_table(table)
    print(visible(body, keep="\n\t"))
    if not full and len(met.message.body) > BODY_CHARACTERS:
        print(f"... {len(met.message.body)} bytes in all: --full shows them, --body-to FILE keeps them")


def met_as_dict(met: Met, secrets: Sequence[str], *, full: bool) -> dict[str, Any]:
    """Make the JSON of the same."""
    message, parked = met.message, met.parked
    body = message.body.decode(errors="replace")
    return {
        **_naming(parked),
        "callback": _callback(met, secrets),
        "reason": parked.reason,
        "parked_at": _iso(parked.parked_at),
        "sent_at": _iso(parked.sent_at),
        "attempts": parked.attempts,
        "redriven": parked.redriven,
        "size": parked.size,
        **_telling(parked, datetime.now(UTC)),
        "message_id": message.message_id,
        "type": message.type,
        "content_type": message.content_type,
        "content_encoding": message.content_encoding,
        "headers": {name: _header(name, value, full=full) for name, value in message.headers.items()},
        "body": body if full else body[:BODY_CHARACTERS],
    }


def _header(name: str, value: object, *, full: bool) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    if name == RETURN_HEADER:
        return f"{text[:SEALED_CHARACTERS]}... ({len(text)} characters, sealed)"
    return text if full or len(text) <= HEADER_CHARACTERS else f"{text[:HEADER_CHARACTERS]}... ({len(text)} characters)"


def _callback(met: Met, secrets: Sequence[str]) -> str:
    """Say where the result goes: no password, no query, and nothing else of the LMS's header, which has its key."""
    sealed = met.message.headers.get(RETURN_HEADER)
    if not secrets:
        return "sealed (SECRET_KEY is not set)"
    try:
        address = Sealer(secrets).open(sealed if isinstance(sealed, str) else "", met.parked.correlation_id)
        url = urlsplit(address.callback_url)
    except (BadReturnAddressError, UnknownSecretError, ValueError) as error:
        return f"unreadable: {error}"
    return url._replace(netloc=url.netloc.rpartition("@")[2], query="", fragment="").geturl()


def _age(at: datetime | None, now: datetime) -> str:
    return "" if at is None else span(max(0.0, (now - at).total_seconds()))


def _iso(at: datetime | None) -> str | None:
    return None if at is None else iso(at.timestamp())
