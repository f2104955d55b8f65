"""Properties that the client library can't read."""

import struct
from collections.abc import Iterator, Sequence
from datetime import datetime
from time import process_time
from unittest.mock import Mock

import pytest
from aio_pika import DeliveryMode, IncomingMessage
from aiormq.abc import DeliveredMessage
from hypothesis import given, settings
from hypothesis import strategies as st
from pamqp import commands, decode, encode, frame
from pamqp.header import ContentHeader

from broker_setup.link import codec
from broker_setup.wire.parked import parked_copy


@pytest.fixture(scope="module", autouse=True)
def _tolerant() -> Iterator[None]:
    kept, unmarshal = (dict(decode.METHODS), dict(decode.TABLE_MAPPING)), commands.Basic.Properties.unmarshal
    codec.tolerate_ill_made_properties()
    yield
    commands.Basic.Properties.unmarshal = unmarshal  # type: ignore[method-assign]
    decode.METHODS.update(kept[0])
    decode.TABLE_MAPPING.update(kept[1])


def table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


@given(st.text(max_size=60))
def test_a_good_short_string_is_read_as_before(text: str) -> None:
    value = encode.short_string(text)
    assert decode.by_type(value + b"more", "shortstr") == (len(value), text)


@given(st.binary(max_size=255))
def test_any_short_string_is_read_and_fits_again(raw: bytes) -> None:
    consumed, text = decode.by_type(bytes([len(raw)]) + raw + b"more", "shortstr")
    assert consumed == len(raw) + 1
    assert isinstance(text, str)
    assert len(encode.short_string(text)) <= consumed


@given(st.integers(0, 2**64 - 1))
def test_any_timestamp_is_read_and_can_be_written(number: int) -> None:
    consumed, time = decode.by_type(struct.pack(">Q", number), "timestamp")
    assert consumed == 8
    assert isinstance(time, datetime)
    encode.timestamp(time)


@pytest.mark.parametrize(
    "content",
    [b"\x01\xffV", b"\x01aZ", b"\x01aT" + struct.pack(">Q", 2**62), b"\x09a", b"\x01aS\xff\xff\xff\xff"],
    ids=["key", "type", "time", "cut key", "cut value"],
)
def test_any_table_is_read_to_its_end(content: bytes) -> None:
    consumed, headers = decode.by_type(table(content) + b"more", "table")
    assert consumed == len(content) + 4
    assert isinstance(headers, dict)


def test_a_table_deep_in_tables_is_read_to_its_end() -> None:
    content = b""
    for _ in range(10_000):
        content = b"\x01aF" + table(content)
    consumed, _ = decode.by_type(table(content), "table")
    assert consumed == len(content) + 4


@pytest.mark.parametrize(
    "content",
    [b"\x01aA" + table(b"V" * 120_000), b"".join(b"\x04%04xV" % number for number in range(18_000))],
    ids=["a long list", "many keys"],
)
def test_a_table_of_very_many_values_costs_no_more_than_reading_some_of_them(content: bytes) -> None:
    whole = table(content)
    began = process_time()
    for _ in range(20):
        assert decode.by_type(whole, "table") == (len(whole), {})
    assert process_time() - began < 2


@pytest.mark.parametrize(
    "content", [b"\x01aV\x01aV", b"\x01bF" + table(b"\x02CCA" + table(b"") + b"\x02CCS" + table(b"x"))]
)
def test_a_table_that_names_a_key_twice_counts_as_unreadable(content: bytes) -> None:
    # RabbitMQ goes by the first, and would refuse the copy of what pamqp goes by, the last.
    assert decode.by_type(table(content), "table") == (len(content) + 4, {})


def test_a_table_of_every_kind_is_read_as_pamqp_does() -> None:
    content = b"".join(
        b"\x01" + kind + kind + value
        for kind, value in {
            b"t": b"\x01",
            b"b": b"\xff",
            b"B": b"\xff",
            b"s": b"\xff\xfe",
            b"u": b"\xff\xfe",
            b"I": b"\xff" * 4,
            b"i": b"\xff" * 4,
            b"l": b"\xff" * 8,
            b"f": struct.pack(">f", 1.5),
            b"d": struct.pack(">d", 1.5),
            b"D": b"\x02\x00\x00\x01\x00",
            b"S": table(b"text"),
            b"A": table(b"VS" + table(b"\xff")),
            b"T": struct.pack(">Q", 1_000_000),
            b"F": table(b"\x01aV"),
            b"V": b"",
            b"x": table(b"bytes"),
        }.items()
    )
    assert decode.by_type(table(content), "table") == decode.field_table(table(content))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_that_ends_where_it_says(content: bytes) -> None:
    consumed, headers = decode.by_type(table(content) + b"more", "table")
    assert consumed == len(content) + 4
    assert isinstance(headers, dict)


def test_a_good_table_is_read_as_before() -> None:
    value = encode.field_table({"xqueue-return": "sealed", "xqueue-attempt": 3, "more": {"a": [1, None, True]}})
    assert decode.by_type(value + b"more", "table") == decode.field_table(value)


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


def delivered(properties: Sequence[bytes | None]) -> IncomingMessage:
    """Read a header frame as the connection does, and what is handed out of it."""
    flags = sum(1 << 15 - place for place, value in enumerate(properties) if value is not None)
    payload = struct.pack(">HHQH", commands.Basic.frame_id, 0, 0, flags) + b"".join(filter(None, properties))
    _, _, header = frame.unmarshal(struct.pack(">BHI", 2, 1, len(payload)) + payload + b"\xce")
    assert isinstance(header, ContentHeader)
    return IncomingMessage(
        DeliveredMessage(delivery=commands.Basic.Deliver("tag", 1), header=header, body=b"", channel=Mock())
    )


@settings(max_examples=50)
@given(st.tuples(*(st.none() | each for each in PROPERTIES)))
def test_whatever_a_publisher_wrote_into_properties_is_delivered_and_can_be_parked(
    properties: tuple[bytes | None, ...],
) -> None:
    message = delivered(properties)
    parked_copy(message, "why").properties.marshal()


def test_any_delivery_mode_and_any_priority_are_delivered() -> None:
    properties: list[bytes | None] = [None] * len(PROPERTIES)
    for octet in range(256):
        properties[3:5] = [bytes([octet])] * 2
        message = delivered(properties)
        assert message.delivery_mode == (octet if octet in {1, 2} else DeliveryMode.NOT_PERSISTENT)
        assert message.priority == octet


@pytest.mark.parametrize("number", ["", "abc", "12 h", "1,5", "\N{SNOWMAN}"])
def test_an_expiration_that_is_no_number_is_none(number: str) -> None:
    properties: list[bytes | None] = [None] * len(PROPERTIES)
    properties[7] = encode.short_string(number)
    assert delivered(properties).expiration is None
