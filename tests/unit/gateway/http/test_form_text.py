"""Text of a form that has to be mended is mended in pieces, as if it were in one."""

from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import form_text
from gateway.http.form_text import text_of, whole_characters

BYTES = [b"a", b"\xff", b"\xe4\xb8", b"\x81", "é🐍漢".encode()]
CHARSETS = [None, "shift_jis", "gb18030", "big5hkscs", "euc_jp", "cp1252", "iso8859-1"]


@pytest.mark.parametrize("charset", CHARSETS)
@given(raw=st.lists(st.sampled_from(BYTES), max_size=12).map(b"".join))
def test_bytes_that_are_not_utf_8_read_the_same_however_they_are_cut(raw: bytes, charset: str | None) -> None:
    whole = text_of(raw, charset)
    with patch.object(form_text, "_PIECE", 3):
        assert text_of(raw, charset) == text_of(bytearray(raw), charset) == whole
    try:
        assert whole == raw.decode()
    except UnicodeDecodeError:
        assert whole == raw.decode(charset or "utf-8", "replace")


@given(st.lists(st.sampled_from(["a", "\ud800", "\udbff", "\udc00", "\udfff", "é", "🐍"]), max_size=12).map("".join))
def test_halves_of_characters_are_joined_or_replaced_however_a_text_is_cut(text: str) -> None:
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    for size in (1, 2, 3, 64):
        with patch.object(form_text, "_PIECE", size):
            assert whole_characters(text) == whole
