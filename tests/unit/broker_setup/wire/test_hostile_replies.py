"""Replies made to hurt whoever looks at them: nothing crashes, nothing grows, and time goes with their length."""

import encodings
import json
import subprocess
import sys
import textwrap
from time import process_time

import pytest

from broker_setup.wire.replies import MAX_REPLY_BYTES, check_reply, check_strictly

SCORE = "https://lms.example/courses/x/xqueue/7/block/score_update"
GRAMMAR = "its msg declares a document type of its own, which may hold entities"
# Makes the check ask whether it is XML.
ASK = "<!-- &#27; -->"


def saying(msg: str) -> bytes:
    return json.dumps({"correct": False, "score": 0, "msg": msg}, ensure_ascii=False).encode()


def chained(number: int) -> str:
    chain = "".join(f'<!ENTITY e{n} "&e{n + 1};">' for n in range(number))
    return f'<!DOCTYPE a [{chain}<!ENTITY e{number} "x">]><a>&e0;{ASK}</a>'


def checked_elsewhere(reply: bytes) -> str:
    """Have a reply checked by another process that has 512 MiB, since it may not live to tell."""
    code = """
    import resource, sys
    resource.setrlimit(resource.RLIMIT_AS, (512 * 1024 * 1024,) * 2)
    from broker_setup.wire.replies import check_reply
    print(check_reply(sys.argv[1], sys.stdin.buffer.read()).wrong)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), SCORE], input=reply, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"it died: {done.returncode} {done.stderr.decode()[-500:]}"
    return done.stdout.decode().strip()


def test_thirty_thousand_chained_entities_end_no_process() -> None:
    assert checked_elsewhere(saying(chained(30_000))) == GRAMMAR


@pytest.mark.parametrize("encoding", ["bogus", "idna", "undefined", "rot13", "shift_jis", "utf-16", "x" * 1_000_000])
@pytest.mark.parametrize("grammar", ["", "<!DOCTYPE a [<!ENTITY e 'x'>]>"])
def test_no_codec_is_looked_for_that_a_reply_names(encoding: str, grammar: str) -> None:
    """Python keeps the name of each that there is not, and raises what no XML is to blame for."""
    known = len(encodings._cache)
    msg = f"\ufeff<?xml version='1.0' encoding='{encoding}'?>{grammar}<a>{ASK}</a>"
    assert check_strictly(saying(msg)).wrong == (GRAMMAR if grammar else "")
    assert len(encodings._cache) == known


def in_utf_16(text: str, *, big_endian: bool) -> str:
    """Write each ASCII character as UTF-16's two bytes, seen as text in UTF-8."""
    return "".join(f"\0{character}" if big_endian else f"{character}\0" for character in text)


@pytest.mark.parametrize("big_endian", [True, False])
def test_a_grammar_in_utf_16_is_not_read_either(*, big_endian: bool) -> None:
    """Expat takes a text with NUL as its first or second byte for UTF-16, whatever encoding it was told."""
    entity = in_utf_16('<!ENTITY e "' + "x" * 10_000 + '">', big_endian=big_endian)
    # Two harmless characters to UTF-16; to others a reference that XML forbids, so that it is tried as XML.
    comment = in_utf_16("<!--", big_endian=big_endian) + "&#1;" + in_utf_16("-->", big_endian=big_endian)
    start = (
        in_utf_16("<!DOCTYPE a [", big_endian=big_endian)
        + comment
        + entity
        + in_utf_16(']><a b="' + "&e;" * 100 + '"/>', big_endian=big_endian)
    )
    assert check_strictly(saying(start)).wrong


@pytest.mark.parametrize(
    "msg",
    [
        chained(1),
        # Ten to the power of nine.
        "<!DOCTYPE a ["
        '<!ENTITY e0 "ha">'
        + "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
        + f"]><a>&e9;{ASK}</a>",
        f'<!DOCTYPE a [<!ENTITY e "{"x" * 100_000}">]><a b="{"&e;" * 20_000}">{ASK}</a>',
        f'<!DOCTYPE a [<!ATTLIST a b CDATA "{"x" * 1000}">]><a/>',
        '<!DOCTYPE a [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]><a/>',
        '<!DOCTYPE a [<!ENTITY e SYSTEM "http://169.254.169.254/">]><a>&e;</a>',
        "<!DOCTYPE a [ ]><a/>",
        "\n<!-- -->\n<!DOCTYPE a SYSTEM 'x' [<!ELEMENT a ANY>]><a/>".lstrip(),
        "<?xml version='1.0'?><?a <!DOCTYPE ?><!DOCTYPE a [<!ELEMENT a ANY>]><a/>",
    ],
    ids=lambda msg: str(msg[:50]),
)
def test_no_document_type_with_declarations_is_taken_nor_expanded(msg: str) -> None:
    assert checked_elsewhere(saying(msg)) == GRAMMAR


@pytest.mark.parametrize(
    "msg",
    [
        "<!DOCTYPE html><p>x</p>",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/x.dtd"><p>[x]</p>',
        "<pre><![CDATA[<!DOCTYPE a [<!ENTITY e 'x'>]>]]></pre>",
        "<pre>&lt;!DOCTYPE a [&lt;!ENTITY e 'x'>]></pre>",
        "Your output: <!DOCTYPE a [ ]>",
        "<!-- <!DOCTYPE a [ -->text",
    ],
)
def test_a_document_type_that_declares_nothing_and_talk_of_one_are_taken(msg: str) -> None:
    assert check_reply(SCORE, saying(msg)).wrong == ""


REPEATED = {
    "tags that belong elsewhere": "<td>",
    "ends of nothing": "</>",
    "ends of elements": "</x>",
    "tags that are dropped, with values": "<td a='>'>",
    "quotes that are never closed": "<td a='",
    "quotes of the other kind": "</x a=\"'",
    "doctypes that never end": "<!doctype ",
    "doctypes": "<!doctype>",
    "references with zeros": "&#0",
    "encodings": " encoding",
    "open elements": "<a>",
    "elements": "<a/>",
    "comments": "<!---->",
    "NUL": "\0",
}
ONCE = {
    "a tag with many =": ("<td ", "=", ""),
    "a tag with many = that ends": ("<td ", "=", "'>"),
    "a tag with many values": ("<td ", "a=''", ">"),
    "a tag with many = and spaces": ("<td ", "= ", "'>"),
    "a tag with many spaces": ("<td ", " ", "'>"),
    "a tag with many quotes": ("<td ", "'", ">"),
    "an element with many attributes": ("<td><x ", "a='' ", "/>"),
    "a reference of zeros": ("&#", "0", ""),
    "a reference of hex zeros": ("&#x", "0", ""),
    "spaces after an encoding": ("<?xml ", " encoding ", ""),
    "spaces before nothing": ("<?xml ", "  ", ""),
    "instructions before a doctype": ("", "<?a ?>", "<!DOCTYPE ["),
}


def of_length(before: str, piece: str, after: str, length: int) -> bytes:
    return saying(before + piece * (length // len(piece)) + after + ASK)


@pytest.mark.parametrize(
    ("before", "piece", "after"),
    [("", piece, "") for piece in REPEATED.values()] + list(ONCE.values()),
    ids=[*REPEATED, *ONCE],
)
def test_the_time_a_message_takes_goes_with_its_length(before: str, piece: str, after: str) -> None:
    short, long = (of_length(before, piece, after, length) for length in (100_000, 1_600_000))
    check_reply(SCORE, short)
    taken = []
    for reply in (short, long):
        start = process_time()
        check_reply(SCORE, reply)
        taken.append(process_time() - start)
    # Sixteen times as long: anything quadratic would take 256 times as long. 20 ms are nothing to measure by.
    assert taken[1] < 60 * max(taken[0], 0.02), taken


@pytest.mark.parametrize(
    "reply",
    [
        b"[" + b"[]," * (MAX_REPLY_BYTES // 3 - 2) + b"[]]",
        b'{"correct": 1, "score": 1, "msg": "x", "a": [' + b'{"":[]},' * (MAX_REPLY_BYTES // 8 - 10) + b"0]}",
        b"[" * MAX_REPLY_BYTES,
        b'{"":' * (MAX_REPLY_BYTES // 4),
        b'{"a":"' + b'\\"' * (MAX_REPLY_BYTES // 2 - 10),
        b"9" * MAX_REPLY_BYTES,
        b"[" + b"9" * 4_000 + b"]",
        b"[" + b'"",' * (MAX_REPLY_BYTES // 3 - 2) + b'""]',
        saying("<a>" * (MAX_REPLY_BYTES // 3 - 50) + ASK),
        saying("<td>" * (MAX_REPLY_BYTES // 4 - 50)),
        saying("<td a='\U0001f600'>" * (MAX_REPLY_BYTES // 14 - 50)),
    ],
    ids=lambda reply: str(reply[:60]),
)
def test_the_largest_replies_take_no_more_than_half_a_gigabyte_in_all_and_some_seconds(reply: bytes) -> None:
    assert len(reply) <= MAX_REPLY_BYTES
    assert checked_elsewhere(reply)
