"""Header tables, whoever wrote them: read as RabbitMQ reads them, in time that goes with their size."""

import struct
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from broker_setup.amqp.tables import read_table, write_table


def table(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


@pytest.mark.parametrize(
    "content",
    [b"\x01\xffV", b"\x01aZ", b"\x01aT" + struct.pack(">Q", 2**62), b"\x09a", b"\x01aS\xff\xff\xff\xff"],
    ids=["key", "type", "time", "cut key", "cut value"],
)
def test_what_is_no_table_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_table(table(content) + b"more")


def test_a_table_deep_in_tables_is_refused() -> None:
    content = b""
    for _ in range(10_000):
        content = b"\x01aF" + table(content)
    with pytest.raises(ValueError, match="too deep"):
        read_table(table(content))


@pytest.mark.parametrize(
    "content",
    [b"\x01aA" + table(b"V" * 120_000), b"".join(b"\x04%04xV" % number for number in range(18_000))],
    ids=["a long list", "many keys"],
)
def test_a_table_of_very_many_values_costs_no_more_than_reading_some_of_them(content: bytes) -> None:
    whole = table(content)
    began = process_time()
    for _ in range(20):
        with pytest.raises(ValueError, match="too many values"):
            read_table(whole)
    assert process_time() - began < 2


@pytest.mark.parametrize(
    "content", [b"\x01aV\x01aV", b"\x01bF" + table(b"\x02CCA" + table(b"") + b"\x02CCS" + table(b"x"))]
)
def test_a_table_that_names_a_key_twice_is_refused(content: bytes) -> None:
    # RabbitMQ goes by the first, and would refuse the copy of what we went by, the last.
    with pytest.raises(ValueError, match="twice"):
        read_table(table(content))


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
    assert read_table(table(content)) == decode.field_table(table(content))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_that_ends_where_it_says_or_none(content: bytes) -> None:
    try:
        end, headers = read_table(b"before" + table(content) + b"more", len(b"before"))
    except ValueError:
        return
    assert end == len(b"before") + len(content) + 4
    assert isinstance(headers, dict)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.text(max_size=20) | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=20), values, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=30), VALUES, max_size=4))
def test_what_we_write_is_read_as_it_was_by_us_and_by_pamqp(headers: dict[str, Any]) -> None:
    raw = write_table(headers)
    assert read_table(raw) == (len(raw), headers)
    assert decode.field_table(raw) == (len(raw), headers)


def test_what_others_write_is_read() -> None:
    headers: dict[str, Any] = {"xqueue-return": "sealed", "xqueue-attempt": 3, "more": {"a": [1, None, True]}}
    raw = encode.field_table(headers)
    assert read_table(raw + b"more") == (len(raw), headers)


def test_a_name_that_has_no_room_is_refused() -> None:
    with pytest.raises(ValueError, match="129 bytes"):
        write_table({"n" * 129: 1})
