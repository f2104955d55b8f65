"""The form decoder is as exact as urllib's, whatever comes."""

import tracemalloc
from collections.abc import Callable
from time import process_time
from urllib.parse import parse_qsl, quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http import urlencoded
from gateway.http.form_limits import MAX_FIELDS, TooLargeError
from gateway.http.urlencoded import _PIECE_BYTES, MAX_SPOILT, parse_urlencoded

PIECES = [b"%", b"4", b"1", b"a", b"=", b"&", b"+", b"\\", b"x", b"\xc3", b"\xa9", b"%41", b"%0A", b"\n", b"%e2%82%ac"]
TRICKS = [b"N", b"{", b"u0041", b"\\x41", b"%5C", b"\\\n", b"%%", b"%4", b"\xff", b"%ff"]


@given(st.lists(st.sampled_from(PIECES + TRICKS), max_size=14))
def test_any_body_is_read_as_urllib_reads_it(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    read = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    by_urllib = {name.encode("latin-1"): value.encode("latin-1") for name, value in read}
    expected = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in by_urllib.items()}
    assert parse_urlencoded(body) == expected


@given(
    st.lists(st.sampled_from([*PIECES, *TRICKS, b"a=1", b"&a=2", b"_charset_=", b"cp1251&", b"%e9"]), max_size=30)
    | st.lists(st.binary(max_size=4), max_size=10)
    | st.integers(MAX_FIELDS - 2, MAX_FIELDS + 2).map(lambda count: [b"&a%d=%%41" % number for number in range(count)]),
    st.sampled_from([None, "cp1252"]),
)
def test_a_small_form_is_read_the_quick_way_byte_for_byte_as_the_long_way(
    pieces: list[bytes], charset: str | None
) -> None:
    def outcome(read: Callable[[bytes, str | None], dict[str, str]]) -> object:
        try:
            return list(read(b"".join(pieces), charset).items())
        except TooLargeError as error:
            return str(error)

    assert outcome(parse_urlencoded) == outcome(urlencoded._parse_any)


@given(st.text())
def test_any_text_comes_back_as_it_was(text: str) -> None:
    try:
        body = f"a=b&xqueue_body={quote_plus(text)}".encode()
    except UnicodeEncodeError:
        return  # a lone surrogate can't be sent as UTF-8
    assert parse_urlencoded(body) == {"a": "b", "xqueue_body": text}


@pytest.mark.parametrize("unit", [b"%", b"%4", b"%41%", b"x%zz", b"%%41", b"%C3%A9%"])
@pytest.mark.parametrize("shift", range(4))
def test_what_is_badly_escaped_is_read_alike_wherever_it_is_cut(unit: bytes, shift: int) -> None:
    text = b"x" * shift + unit * (_PIECE_BYTES // len(unit) + 5)
    assert parse_urlencoded(b"a=" + text) == {"a": unquote_to_bytes(text).decode(errors="replace")}


@pytest.mark.parametrize("unit", [b"%", b"%z", b"%%%41"])
def test_badly_escaped_megabytes_are_refused_without_much_ado(unit: bytes) -> None:
    body = b"a=" + unit * (4 * 1024 * 1024 // len(unit))

    def seconds(read: Callable[[], object]) -> float:
        start = process_time()
        read()
        return process_time() - start

    def refused() -> None:
        with pytest.raises(TooLargeError, match="percent signs that escape nothing"):
            parse_urlencoded(body)

    assert peak(refused) < 2 * len(body)
    well_escaped = b"a=" + b"%41" * (len(body) // 3)
    least = min(seconds(lambda: parse_urlencoded(well_escaped)) for _ in range(3))
    assert min(seconds(refused) for _ in range(3)) < 10 * least + 0.2


def test_a_large_form_is_in_memory_once_more_while_it_is_read() -> None:
    body = bytearray(b"xqueue_header=x&xqueue_body=" + b"%41x+" * (1024 * 1024))
    # Bytes, and then the text that is made of them: both are 3/5 of what was sent.
    assert peak(lambda: parse_urlencoded(body)) < 1.5 * len(body)


def peak(read: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        read()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_of_all_fields_together_no_more_may_be_badly_escaped() -> None:
    half = b"%" * (MAX_SPOILT // 2 + 1)
    assert parse_urlencoded(b"a=" + half) == {"a": half.decode()}
    with pytest.raises(TooLargeError):
        parse_urlencoded(b"a=" + half + b"&b=" + half)
