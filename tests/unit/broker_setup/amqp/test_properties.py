"""Properties that a publisher wrote: whatever they are, they are read, and the message can be parked."""

import struct
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands, encode
from pamqp.header import ContentHeader

from broker_setup.amqp.messages import TRANSIENT, Arrival, Message, Properties
from broker_setup.amqp.properties import read_properties, write_properties
from broker_setup.wire.parked import parked_copy

ALL = Properties(
    content_type="a/b",
    content_encoding="gzip",
    headers={"text": "\u4e2d", "number": 2**40, "small": -3, "flag": True, "list": [1, "x"]},
    delivery_mode=2,
    priority=9,
    correlation_id="c",
    reply_to="r",
    expiration="5",
    message_id="m",
    timestamp=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    type="t",
    user_id="u",
    app_id="a",
)


def table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def read(raw: bytes) -> Arrival:
    """Read what stands in a content header behind the size of the body."""
    message = Arrival(channel=cast("Any", None))
    read_properties(message, raw)
    return message


def test_all_that_we_write_another_library_reads_and_all_that_it_writes_we_read() -> None:
    theirs = ContentHeader(properties=commands.Basic.Properties())
    theirs.unmarshal(struct.pack(">HHQ", commands.Basic.frame_id, 0, 0) + write_properties(ALL))
    names = {"type": "message_type"}
    for name, value in asdict(ALL).items():
        assert getattr(theirs.properties, names.get(name, name)) == value
    again = read(theirs.properties.marshal())
    assert {name: getattr(again, name) for name in asdict(ALL)} == asdict(ALL)


@given(st.text(max_size=60))
def test_a_good_text_is_read_as_it_was_written(text: str) -> None:
    assert read(write_properties(Message(correlation_id=text))).correlation_id == text


@given(st.binary(max_size=255))
def test_any_text_is_read_and_fits_again(raw: bytes) -> None:
    text = read(b"\x04\x00" + bytes([len(raw)]) + raw).correlation_id
    assert text is not None
    assert len(text.encode()) <= len(raw)


@given(st.integers(0, 2**64 - 1))
def test_any_timestamp_is_read_and_can_be_written(number: int) -> None:
    message = read(b"\x00\x40" + struct.pack(">Q", number))
    assert isinstance(message.timestamp, datetime)
    write_properties(message)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_as_far_as_they_are_properties(raw: bytes) -> None:
    write_properties(parked_copy(read(raw), "why"))


def test_what_stands_behind_a_table_that_nobody_can_read_is_read() -> None:
    message = read(b"\x24\x00" + table(b"\x01aZ") + b"\x04uuid")
    assert (message.headers, message.correlation_id) == ({}, "uuid")


# The basic properties in the order in which they stand on the wire, as a publisher may write each.
SHORT = st.binary(max_size=40).map(lambda raw: bytes([len(raw)]) + raw)
NUMBERS = st.sampled_from(["", "abc", "nan", "-inf", "1e999", "0x10", "-1", "9" * 255, "1_0", "\u0663", " 5 "])
EXPIRATIONS = SHORT | NUMBERS.map(encode.short_string)
OCTETS = st.integers(0, 255).map(lambda octet: bytes([octet]))
TIMES = (st.integers(0, 2**64 - 1) | st.sampled_from([253402300799, 253402300800, 2**63])).map(struct.Struct(">Q").pack)
KINDS = {
    b"t": OCTETS,
    b"b": OCTETS,
    b"B": OCTETS,
    b"s": st.binary(min_size=2, max_size=2),
    b"u": st.binary(min_size=2, max_size=2),
    b"I": st.binary(min_size=4, max_size=4),
    b"i": st.binary(min_size=4, max_size=4),
    b"l": st.binary(min_size=8, max_size=8),
    b"L": st.binary(min_size=8, max_size=8),
    b"f": st.binary(min_size=4, max_size=4),
    b"d": st.binary(min_size=8, max_size=8),
    b"D": st.binary(min_size=5, max_size=5),
    b"S": st.binary(max_size=20).map(table),
    b"x": st.binary(max_size=20).map(table),
    b"T": TIMES,
    b"V": st.just(b""),
    b"Z": st.binary(max_size=4),
}
PLAIN = st.one_of(*(value.map(kind.__add__) for kind, value in KINDS.items()))


def tables_of(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(st.builds(bytes.__add__, SHORT, values), max_size=3).map(b"".join).map(table)


def lists_of(values: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return st.lists(values, max_size=3).map(b"".join).map(table)


VALUES = st.recursive(
    PLAIN,
    lambda values: lists_of(values).map(b"A".__add__) | tables_of(values).map(b"F".__add__),
    max_leaves=5,
)
PROPERTIES = (SHORT, SHORT, tables_of(VALUES), OCTETS, OCTETS, SHORT, SHORT, EXPIRATIONS, SHORT, TIMES, *(SHORT,) * 4)


def delivered(properties: Sequence[bytes | None]) -> Arrival:
    flags = sum(1 << 15 - place for place, value in enumerate(properties) if value is not None)
    return read(struct.pack(">H", flags) + b"".join(filter(None, properties)))


@settings(max_examples=50)
@given(st.tuples(*(st.none() | each for each in PROPERTIES)))
def test_whatever_a_publisher_wrote_into_properties_is_delivered_and_can_be_parked(
    properties: tuple[bytes | None, ...],
) -> None:
    message = delivered(properties)
    write_properties(parked_copy(message, "why"))


def test_any_delivery_mode_and_any_priority_are_delivered() -> None:
    properties: list[bytes | None] = [None] * len(PROPERTIES)
    for octet in range(256):
        properties[3:5] = [bytes([octet])] * 2
        message = delivered(properties)
        assert message.delivery_mode == (octet if octet in {1, 2} else TRANSIENT)
        assert message.priority == octet


@pytest.mark.parametrize("number", ["", "abc", "12 h", "1,5", "\N{SNOWMAN}"])
def test_an_expiration_that_is_no_number_is_none(number: str) -> None:
    properties: list[bytes | None] = [None] * len(PROPERTIES)
    properties[7] = encode.short_string(number)
    assert delivered(properties).expiration is None
