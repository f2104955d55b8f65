"""The form decoder is as exact as urllib's, whatever comes."""

from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.forms import BadFormError, _parse_urlencoded

PIECES = [b"%", b"4", b"1", b"a", b"=", b"&", b"+", b"\\", b"x", b"\xc3", b"\xa9", b"%41", b"%0A", b"\n", b"%e2%82%ac"]
TRICKS = [b"N", b"{", b"u0041", b"\\x41", b"%5C", b"\\\n", b"%%", b"%4", b"\xff", b"%ff"]


@given(st.lists(st.sampled_from(PIECES + TRICKS), max_size=14))
def test_any_body_is_read_as_urllib_reads_it_or_refused_where_that_is_not_utf8(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    try:
        expected = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        with pytest.raises(BadFormError):
            _parse_urlencoded(body)
    else:
        assert _parse_urlencoded(body) == expected


@given(st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    try:
        body = f"a=b&xqueue_body={quote_plus(text)}".encode()
    except UnicodeEncodeError:
        return  # a lone surrogate can't be sent as UTF-8
    assert _parse_urlencoded(body) == {"a": "b", "xqueue_body": text}
