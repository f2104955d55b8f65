"""What is typed into the search: qualifiers such as `queue:openedx state:parked`, an id, a uuid, parts of a URL."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from broker_setup.errors import ArgumentError
from broker_setup.operator.console import moment
from broker_setup.wire.properties import is_uuid
from gateway.console.known.standings import NAMES
from gateway.console.known.wanted import Wanted

MAX_QUERY = 500
_EXAMPLE = "queue:openedx"
# But no `https://...`, and no `block-v1:...`.
_LIKE_A_QUALIFIER = re.compile(r"([A-Za-z]+):(?!//)")
# Fewer digits may as well be a part of a URL: a student's number.
_ID_DIGITS = 10


def parse(text: str, now: datetime | None = None) -> Wanted:
    """Read a search; raise ArgumentError for what it can't mean."""
    now, wanted = now or datetime.now(UTC), Wanted()
    for word in text[:MAX_QUERY].split():
        name, colon, value = word.partition(":")
        read = _QUALIFIERS.get(name.lower()) if colon else None
        if read and not value:
            raise ArgumentError(f"{word} has nothing behind it: write it without a space, as in {_EXAMPLE}")
        wanted = read(wanted, value, now) if read else _plain(wanted, word)
    return wanted


def perhaps_meant(text: str) -> str:
    """Say which words look like qualifiers and are none; "" without. They may be of a callback URL, as `host:8000`."""
    looking = [word for word in text[:MAX_QUERY].split() if (found := _LIKE_A_QUALIFIER.match(word)) and not _is(found)]
    if not looking:
        return ""
    there_are = ", ".join(f"{name}:" for name in _QUALIFIERS)
    return f"No callback URL has {' '.join(looking)!r} in it, and there are no qualifiers but {there_are}"


def _is(found: re.Match[str]) -> bool:
    return found[1].lower() in _QUALIFIERS


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


def _uuid(wanted: Wanted, value: str, _: datetime) -> Wanted:
    if (read := _plain(wanted, value)).uuid is None:
        raise ArgumentError(f"{value!r} is no uuid: it has 32 digits, 0 to 9 and a to f")
    return read


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
    "uuid": _uuid,
    "id": _id,
}
