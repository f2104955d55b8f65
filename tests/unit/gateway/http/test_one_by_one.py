"""What is parsed at once ends where a request does, so that at most one more has begun behind it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.one_by_one import NEAR_BYTES, end_of_head

ENDS = st.sampled_from([b"\r\n", b"\n"])


@given(lines=st.lists(st.sampled_from([b"GET / HTTP/1.1", b"Host: x", b"A: b\rc"]), min_size=1), ends=st.data())
def test_a_head_ends_behind_its_first_empty_line_whatever_its_sender_ends_lines_with(
    lines: list[bytes], ends: st.DataObject
) -> None:
    head = b"".join(line + ends.draw(ENDS) for line in lines) + ends.draw(ENDS)
    expected = len(head) if len(head) <= NEAR_BYTES else 0
    assert end_of_head(bytearray(head)) == end_of_head(bytearray(head + b"GET /next HTTP/1.1\r\n\r\n")) == expected


@pytest.mark.parametrize("rest", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"\r" * 2000, b"x" * 5000 + b"\r\n\r\n"])
def test_a_head_whose_end_is_not_near_is_parsed_piece_by_piece(rest: bytes) -> None:
    assert end_of_head(bytearray(rest)) == 0
