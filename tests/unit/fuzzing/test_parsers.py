"""Every parser of what strangers and accounts send: a refusal or a value, in time that goes with the length.

`make fuzz` tries some thousand of each. What once broke one stays in tests/corpus, a file for each in the folder of
its parser.
"""

import os
from pathlib import Path
from time import thread_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.parsers import PARSERS

CORPUS = Path(__file__).parents[2] / "corpus"
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
# Sixteen times as long: anything quadratic takes 256 times as long. 20 ms are nothing to measure by.
SHORT, TIMES = 16 * 1024, 16
MOST_TIMES, LEAST_SECONDS = 5 * TIMES, 0.02

# What means something to one parser or another.
HTML = [b"<td ", b"<p>", b"</p>", b"</>", b"<a ", b"='", b'="', b"&e;", b"&#0", b"&#x", b"&#27;", b"<!--", b"-->"]
XML = [b"<!doctype ", b"<!DOCTYPE a [", b"<!ENTITY e 'x'>", b"]>", b"<?xml ", b" encoding ", b"<![CDATA[", b"]]>"]
JSON = [
    b"{",
    b"}",
    b"[",
    b"]",
    b'"',
    b"\\",
    b"\\u",
    b"\\ud800",
    b",",
    b":",
    b"1",
    b"9",
    b"e9",
    b"-",
    b".",
    b"null",
    b"NaN",
]
OURS = [b'{"correct": 1, "score": 1, "msg": "', b'"}', b"lms_callback_url", b"http://", b"xqueue_body", b"xqueue_files"]
BYTES = [b"\0", b"\x1b", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xff", b"\xc3", b" ", b"\t", b"\r\n", b"\n", b";"]
FORMS = [b"%", b"%4", b"%41", b"+", b"&", b"=", b"&_charset_=", b"xqueue_header=", b"--limit", b"\r\n--limit\r\n"]
PARTS = [b"--limit--\r\n", b"Content-Disposition: form-data; ", b"name=", b"filename*=utf-8''", b"\r\n\r\n"]
HEADERS = [b"Content-Transfer-Encoding: base64", b"sessionid=", b"Basic ", b"eyJ", b"ey", b"==", b"gAAAAA"]
DATES = [b"Sun, ", b"06 Nov 1994 ", b"08:49:37", b" GMT"]
FRAMES = [b"\x93", b"\xdc\xff\xff", b"\x01aF", b"\x01aS", b"\x00\x00\x00\x01", b"\xff\xff\xff\xff"]
PIECES = HTML + XML + JSON + OURS + BYTES + FORMS + PARTS + HEADERS + DATES + FRAMES
pieces = st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=12).map(b"".join)
repeated = st.lists(st.sampled_from(PIECES) | st.binary(min_size=1, max_size=3), min_size=1, max_size=4).map(b"".join)

fuzzed = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
every_parser = pytest.mark.parametrize("parser", PARSERS)


@every_parser
@settings(fuzzed, max_examples=5 * EXAMPLES)
@given(pieces)
def test_nothing_comes_of_any_bytes_but_a_value_or_a_refusal(parser: str, body: bytes) -> None:
    PARSERS[parser](body)


@every_parser
@fuzzed
@given(pieces, repeated, pieces)
def test_the_time_it_takes_goes_with_the_length(parser: str, before: bytes, unit: bytes, after: bytes) -> None:
    parse = PARSERS[parser]
    short, long = (before + unit * (size // len(unit)) + after for size in (SHORT, SHORT * TIMES))
    # Its own processor time: the machine may be busy. And the better of two, as something may be collected meanwhile.
    assert any(taken(parse, long) < MOST_TIMES * max(taken(parse, short), LEAST_SECONDS) for _ in range(2))


def taken(parse: object, body: bytes) -> float:
    began = thread_time()
    parse(body)  # type: ignore[operator]
    return thread_time() - began


@pytest.mark.parametrize("file", sorted(CORPUS.glob("*/*")), ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_once_broke_a_parser_is_refused_or_read_at_once(file: Path) -> None:
    body = file.read_bytes()
    assert taken(PARSERS[file.parent.name], body) < 1 + len(body) / 1_000_000
