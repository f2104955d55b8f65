"""What is typed into the search: qualifiers such as `queue:openedx state:parked`, an id, a uuid, parts of a URL."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from broker_setup.errors import ArgumentError
from broker_setup.operator.console import moment
from broker_setup.wire.properties import is_uuid
from gateway.console.known.standings import NAMES
from gateway.console.known.wanted import Wanted

MAX_QUERY = 500
# Fewer digits may as well be a part of a URL: a student's number.
_ID_DIGITS = 10


def parse(text: str, now: datetime | None = None) -> Wanted:
    """Read a search; raise ArgumentError for what it can't mean."""
    now, wanted = now or datetime.now(UTC), Wanted()
    for word in text[:MAX_QUERY].split():
        name, colon, value = word.partition(":")
        read = _QUALIFIERS.get(name) if colon and value else None
        wanted = read(wanted, value, now) if read else _plain(wanted, word)
    return wanted


def _plain(wanted: Wanted, word: str) -> Wanted:
    digits = word.strip(",:;.").replace("-", "").lower()  # as it is copied from a log
    if is_uuid(digits):
        return replace(wanted, uuid=bytes.fromhex(digits))
    if digits.isascii() and digits.isdigit() and len(digits) >= _ID_DIGITS:
        return replace(wanted, submission_id=int(digits))
    return replace(wanted, url_parts=(*wanted.url_parts, word))


def _state(wanted: Wanted, value: str, _: datetime) -> Wanted:
    if value not in NAMES:
        raise ArgumentError(f"there is no state {value!r}; there are {', '.join(NAMES)}")
    return replace(wanted, states=NAMES[value])


def _id(wanted: Wanted, value: str, _: datetime) -> Wanted:
    if not value.isascii() or not value.isdigit():
        raise ArgumentError(f"{value!r} is no submission id: it is a number")
    return replace(wanted, submission_id=int(value))


_QUALIFIERS: Mapping[str, Callable[[Wanted, str, datetime], Wanted]] = {
    "queue": lambda wanted, value, _: replace(wanted, queue=value),
    "state": _state,
    "since": lambda wanted, value, now: replace(wanted, since=moment(value, now).timestamp()),
    "until": lambda wanted, value, now: replace(wanted, until=moment(value, now).timestamp()),
    "url": lambda wanted, value, _: replace(wanted, url_parts=(*wanted.url_parts, value)),
    "uuid": lambda wanted, value, _: _plain(wanted, value),
    "id": _id,
}
