"""Properties that the client library can't read."""

import struct
from collections.abc import Iterator
from datetime import datetime
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from broker_setup.link import codec


@pytest.fixture(scope="module", autouse=True)
def _tolerant() -> Iterator[None]:
    kept = dict(decode.METHODS), dict(decode.TABLE_MAPPING)
    codec.tolerate_ill_made_properties()
    yield
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
