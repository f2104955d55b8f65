"""docs/reference/ledger.md and the events say the same."""

import re
from typing import get_args

import msgspec
import pytest

from broker_setup.ledger.events import KEY_HASH_BYTES, SENDER_HASH_BYTES, URL_HASH_BYTES, AnyEvent, Event
from broker_setup.ledger.frames import FRAME_ID_BYTES, FrameOnWire
from broker_setup.ledger.writer import MAX_EVENTS
from tests.support.project import quoted, table_rows, text

PAGE = text("docs/reference/ledger.md")
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
ROWS = table_rows(SECTIONS["Events"])
EVENTS = {row[0]: row for row in ROWS if row[0].isdigit()}
COMMON = [row for row in ROWS if not row[0].isdigit()]
KINDS: list[type[Event]] = list(get_args(AnyEvent))
TYPES = {bytes: "bytes", str: "text", int: "number", bool: "true or false", float: "seconds since 1970"}
SPANS: dict[object, str] = {float | None: "seconds or null", bytes | None: "bytes"}


def tag_of(kind: type[Event]) -> str:
    return str(kind.__struct_config__.tag)


def name_of(kind: type[Event]) -> str:
    return kind.__name__.lower()


def test_every_event_has_a_row_and_every_row_is_an_event_in_the_order_of_their_tags() -> None:
    assert [(row[0], quoted(row[1])[0]) for row in EVENTS.values()] == [(tag_of(kind), name_of(kind)) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_a_row_has_the_events_own_fields_in_their_order_with_their_types(kind: type[Event]) -> None:
    fields = msgspec.structs.fields(kind)
    assert [quoted(row[0])[0] for row in COMMON] == [field.name for field in fields[:2]]
    parts = re.split(r", (?=`)", EVENTS[tag_of(kind)][2])
    written = [re.match(r"`(\w+)` (.+)", part) for part in parts]
    assert all(written)
    assert [match[1] for match in written if match] == [field.name for field in fields[2:]]
    for match, field in zip(written, fields[2:], strict=True):
        assert match
        assert match[2].startswith((SPANS | TYPES)[field.type]), field.name


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_a_row_says_what_happened_and_who_writes_it(kind: type[Event]) -> None:
    *_, what, who = EVENTS[tag_of(kind)]
    assert what.endswith(".")
    assert re.search("gateway|relay|xqueue-broker|whoever", who)


def test_lengths_are_those_of_the_code() -> None:
    assert f"bytes {URL_HASH_BYTES}" in EVENTS["1"][2]
    assert f"bytes {KEY_HASH_BYTES}" in EVENTS["2"][2]
    assert f"(BLAKE2b, {URL_HASH_BYTES} bytes)" in PAGE
    assert f"(BLAKE2b, {KEY_HASH_BYTES} bytes)" in PAGE
    assert f"(BLAKE2b, {SENDER_HASH_BYTES} bytes)" in PAGE
    assert f"up to {MAX_EVENTS:,}" in PAGE


def test_a_frames_fields_are_there_in_their_order() -> None:
    rows = table_rows(SECTIONS["Frames"])
    assert [quoted(row[0])[0] for row in rows] == [field.name for field in msgspec.structs.fields(FrameOnWire)]
    assert rows[0][1] == f"bytes, {FRAME_ID_BYTES}"
