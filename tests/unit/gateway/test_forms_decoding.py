"""The form decoder is as exact as urllib's, whatever comes."""

import tracemalloc
from time import process_time
from urllib.parse import parse_qsl, quote_plus, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.urlencoded import _PIECE_BYTES, parse_urlencoded

PIECES = [b"%", b"4", b"1", b"a", b"=", b"&", b"+", b"\\", b"x", b"\xc3", b"\xa9", b"%41", b"%0A", b"\n", b"%e2%82%ac"]
TRICKS = [b"N", b"{", b"u0041", b"\\x41", b"%5C", b"\\\n", b"%%", b"%4", b"\xff", b"%ff"]


@given(st.lists(st.sampled_from(PIECES + TRICKS), max_size=14))
def test_any_body_is_read_as_urllib_reads_it(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    read = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="latin-1")
    by_urllib = {name.encode("latin-1"): value.encode("latin-1") for name, value in read}
    expected = {name.decode(errors="replace"): value.decode(errors="replace") for name, value in by_urllib.items()}
    assert parse_urlencoded(body) == expected


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
    text = b"x" * shift + unit * (2 * _PIECE_BYTES // len(unit) + 5)
    assert parse_urlencoded(b"a=" + text) == {"a": unquote_to_bytes(text).decode(errors="replace")}


@pytest.mark.parametrize("unit", [b"%", b"%z", b"%%%41"])
def test_badly_escaped_megabytes_cost_little_more_than_well_escaped_ones(unit: bytes) -> None:
    size = 512 * 1024
    tracemalloc.start()
    try:
        parse_urlencoded(b"a=" + unit * (size // len(unit)))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 16 * size

    def seconds(body: bytes) -> float:
        start = process_time()
        parse_urlencoded(b"a=" + body)
        return process_time() - start

    once, four_times = (min(seconds(unit * (times * size // len(unit))) for _ in range(3)) for times in (1, 4))
    assert four_times < 10 * once
