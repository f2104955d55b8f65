"""Which replies the LMS would drop: what its own check says of them, as tried with its parsers (lxml, html5lib)."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.wire.replies import FINE as NOTHING_TO_SAY
from broker_setup.wire.replies import MAX_REPLY_BYTES, Finding, check_reply, check_strictly

COURSE = "https://lms.example/courses/course-v1:X+Y+Z/xqueue/7/block-v1:a@problem+block@b"
SCORE = f"{COURSE}/score_update"
UNGRADED = f"{COURSE}/ungraded_response"
ELSEWHERE = "https://lms.example/hook"

FINE = b'{"correct": true, "score": 0.9, "msg": "<p>Good job!</p>"}'
NO_JSON = "it is not JSON"
NOTHING = "its msg shows nothing"
NO_NUMBER = "its score is not a number"
NOT_FINITE = "its score is not a finite number"
GRAMMAR = "its msg declares a document type of its own, which may hold entities"
CHARACTER = "its msg has a character that neither XML nor HTML can have"
REFERENCE = "its msg refers to a character that neither XML nor HTML can have"


def wrong_with_reply(url: str, reply: bytes) -> str | None:
    return check_reply(url, reply).wrong or None


def suits_every_url(reply: bytes) -> bool:
    return not check_strictly(reply).wrong


def saying(msg: Any) -> bytes:
    return json.dumps({"correct": False, "score": 0, "msg": msg}).encode()


def extra(value: bytes) -> bytes:
    return b'{"correct": 1, "score": 1, "msg": "x", "more": ' + value + b"}"


# Which URLs mean what.


@pytest.mark.parametrize(
    "url",
    [
        SCORE,
        f"{SCORE}/",
        f"{SCORE}?a=b",
        f"{SCORE}/?a=/ungraded_response",
        f"{SCORE}#x",
        f"{COURSE}/score%5Fupdate",
        f"{COURSE}%2Fscore_update",
        "http://user:password@[::1]:8000/score_update",
        "/score_update",
    ],
)
def test_a_url_that_ends_in_score_update_wants_a_score(url: str) -> None:
    assert wrong_with_reply(url, b'{"msg": "no score"}') == "it has no correct and no score"


@pytest.mark.parametrize("url", [UNGRADED, f"{UNGRADED}/?x", f"{COURSE}/ungraded%5fresponse"])
def test_a_url_that_ends_in_ungraded_response_wants_a_message(url: str) -> None:
    assert wrong_with_reply(url, b'{"score": 1}') == "it has no msg"


@pytest.mark.parametrize(
    "url",
    [
        ELSEWHERE,
        "",
        "https://score_update",
        f"{COURSE}/my_score_update",
        f"{COURSE}/SCORE_UPDATE",
        f"{SCORE}/more",
        f"{ELSEWHERE}?/score_update",
        f"{ELSEWHERE}#/score_update",
        "http://[/score_update",
        "\ud800",
    ],
)
def test_any_other_url_gets_anything_at_all(url: str) -> None:
    assert wrong_with_reply(url, b"\xff no JSON") is None


# What a score is.


@pytest.mark.parametrize(
    "reply",
    [
        FINE,
        b' {"score": 1, "msg": "x", "correct": true}\n',
        b'{"correct": null, "score": 0, "msg": "what correct means is the business of the LMS"}',
        b'{"correct": "yes", "score": 1.5, "msg": "x"}',
        b'{"correct": 1, "score": true, "msg": "true is 1 to Python, and so to the LMS"}',
        b'{"correct": 1, "score": -1e-9, "msg": "x"}',
        b'{"correct": 1, "score": ' + b"9" * 308 + b', "msg": "x"}',
        b'{"correct": 1, "score": 1, "msg": 7, "msg": "the last one counts"}',
        b'{"correct": 1, "score": 1, "msg": "x", "more": [{}]}',
        b'{"correct": 1, "score": 1, "msg": "bytes that are no UTF-8 are replaced: \xff\xed\xa0\x80"}',
        '{"correct": 1, "score": 1, "msg": "Größe \U0001f600"}'.encode(),
        b'{"correct": 1, "score": 1, "msg": "\\ud83d\\ude00"}',
        b'{"correct": 1, "score": 1, "msg": "x", "deep": ' + b"[" * 499 + b"]" * 499 + b"}",
    ],
)
def test_a_reply_that_the_lms_reads_is_fine(reply: bytes) -> None:
    assert wrong_with_reply(SCORE, reply) is None
    assert suits_every_url(reply)


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"", NO_JSON),
        (b"\xff\xfe", NO_JSON),
        (b"\xef\xbb\xbf" + FINE, NO_JSON),
        (FINE.decode().encode("utf-16"), NO_JSON),
        (b"Traceback (most recent call last):", NO_JSON),
        (FINE[:-1], NO_JSON),
        (FINE + b"}", NO_JSON),
        (FINE.replace(b'"', b"'"), NO_JSON),
        (FINE.replace(b"Good ", b"Good\n"), NO_JSON),
        (b'{"correct": 1, "score": ' + b"9" * 401 + b', "msg": "x"}', NO_JSON),
        (b"[" * 100_000, "it is nested too deeply"),
        (b"[" * 100_001, "it has more than 100000 values"),
        (b'{"correct": 1, "score": 1, "msg": "x", "deep": ' + b'{"":' * 99_000, "it is nested too deeply"),
        (b"null", "it is not a JSON object"),
        (b"[" + FINE + b"]", "it is not a JSON object"),
        (json.dumps(FINE.decode()).encode(), "it is not a JSON object"),
        (b"{}", "it has no correct and no score and no msg"),
        (b'{"correct": true, "score": 1}', "it has no msg"),
        (b'{"Correct": true, "score": 1, "msg": "x"}', "it has no correct"),
        (b'{"correct": true, "score": null, "msg": "x"}', NO_NUMBER),
        (b'{"correct": true, "score": "100", "msg": "x"}', NO_NUMBER),
        (b'{"correct": true, "score": [1], "msg": "x"}', NO_NUMBER),
        (b'{"correct": true, "score": {}, "msg": "x"}', NO_NUMBER),
        (b'{"correct": 1, "score": NaN, "msg": "x"}', NOT_FINITE),
        (b'{"correct": 1, "score": Infinity, "msg": "x"}', NOT_FINITE),
        (b'{"correct": 1, "score": -Infinity, "msg": "x"}', NOT_FINITE),
        (b'{"correct": 1, "score": 1e999, "msg": "x"}', NOT_FINITE),
        (b'{"correct": 1, "score": ' + b"9" * 400 + b', "msg": "x"}', NOT_FINITE),
        (saying(None), "its msg is not text"),
        (saying(7), "its msg is not text"),
        (saying(["<p>x</p>"]), "its msg is not text"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_reply_that_the_lms_can_not_read_is_wrong(reply: bytes, why: str) -> None:
    assert wrong_with_reply(SCORE, reply) == why
    assert not suits_every_url(reply)


# What a message is: XML, or else HTML that comes to anything.


@pytest.mark.parametrize(
    "msg",
    [
        "<span>MESSAGE</span>",
        "plain",
        " ",
        "\n",
        "2 < 3 & 4",
        "<",
        "</",
        "</ x>",
        "<1>",
        "<p>never closed",
        "<aaa></bbb>",
        "<audio controls autoplay src='data:audio/wav;base64='>Audio</audio>",
        "</p>",
        "</br>",
        "<!-- a comment -->",
        "<!-- never closed",
        "<?php",
        "<![CDATA[x]]>",
        "<td>in no table",
        "<td/>",
        "<header>",
        "<html></html>",
        "<body><br>",
        "<td title='>'><br>",
        "<!doctype html>x",
        '<?xml version="1.0"?><p>x</p>',
        "\0\0x",
        "\x0c\x7f\x85 odd, yet allowed",
        "\ufeff",
        "&#0;&#12;&#127;&#xd800;&#x110000;&#9;",
        "<!-- &#27; --><td/>",
        "<?xml version='1.0'?><!-- &#27; --><p/>",
    ],
)
def test_a_message_that_shows_anything_is_fine(msg: str) -> None:
    assert wrong_with_reply(SCORE, saying(msg)) is None


@pytest.mark.parametrize(
    ("msg", "why"),
    [
        ("", NOTHING),
        ("\0", NOTHING),
        ("<audio", NOTHING),
        ("<p class='x>never closed</p>", NOTHING),
        ("</div>", NOTHING),
        ("</>", NOTHING),
        ("</p", NOTHING),
        ("<td><tr><body><HTML>", NOTHING),
        ("<td a='>'></td></body>\0<!DOCTYPE html><p", NOTHING),
        ("<!doctype html", NOTHING),
        ("<!doctype html><table", NOTHING),
        ("<p>\b</p>", CHARACTER),
        ("\x1b[31mred\x1b[0m", CHARACTER),
        ("\x0b", CHARACTER),
        ("\ufffe", CHARACTER),
        ("\uffff", CHARACTER),
        ("\ud800", CHARACTER),
        ("x\udc00", CHARACTER),
        ("&#27;[31mred", REFERENCE),
        ("<p>&#x1B;</p>", REFERENCE),
        ("&#0011 x", REFERENCE),
        ("&#xfffe;", REFERENCE),
        ("&#65535;", REFERENCE),
        (f"&#{'9' * 5_000};", REFERENCE),
        ('<?xml version="1.0" encoding="UTF-8"?><p>x</p>', "its msg declares an encoding"),
    ],
)
def test_a_message_that_the_lms_can_not_keep_is_wrong(msg: str, why: str) -> None:
    assert wrong_with_reply(SCORE, saying(msg)) == why


# What an ungraded response is.


@pytest.mark.parametrize("msg", ["", "x", "<audio", "\b", "<?xml version='1.0' encoding='UTF-8'?><p/>"])
def test_an_ungraded_response_may_say_any_text(msg: str) -> None:
    assert wrong_with_reply(UNGRADED, json.dumps({"msg": msg}).encode()) is None


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (b"x", NO_JSON),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'["msg"]', "it is not a JSON object"),
        (b'{"msg": null}', "its msg is not text"),
        (b'{"msg": {"a": 1}}', "its msg is not text"),
        (b'{"msg": "\\ud800"}', "its msg holds half a character"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_ungraded_response_that_can_not_be_shown_is_wrong(reply: bytes, why: str) -> None:
    assert wrong_with_reply(UNGRADED, reply) == why


# Whatever comes.

_PIECES = ["<", ">", "/", "</", "<p", "<td", "<td>", "</td>", "<!", "<!--", "-->", "<!doctype", "=", '"', "'", " ", "é"]
_PIECES += ["&#27;", "&#x", "1", "\0", "\x0c", "\x1b", "\ud800"]
MARKUP = st.lists(st.sampled_from(_PIECES) | st.text(max_size=3)).map("".join)
REPLIES = (
    st.binary()
    | st.text().map(lambda text: text.encode(errors="surrogatepass"))
    | MARKUP.map(saying)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists)
    .map(lambda value: {"correct": value, "score": value, "msg": value})
    .map(lambda value: json.dumps(value).encode())
)


@given(st.sampled_from([SCORE, UNGRADED, ELSEWHERE]) | st.text(), REPLIES)
def test_it_never_raises_and_what_suits_every_url_suits_each(url: str, reply: bytes) -> None:
    why = wrong_with_reply(url, reply)
    assert why is None or (why and not suits_every_url(reply))


@pytest.mark.parametrize("correct", ["False", "true", ""])
def test_a_correct_that_is_text_is_taken_with_a_warning(correct: str) -> None:
    found = check_reply(SCORE, json.dumps({"correct": correct, "score": 1, "msg": "x"}).encode())
    assert not found.wrong
    assert found.odd.startswith("its correct is text")


def test_a_usual_reply_gets_no_warning() -> None:
    assert check_reply(SCORE, FINE) == check_strictly(FINE) == NOTHING_TO_SAY


@pytest.mark.parametrize("url", [SCORE, UNGRADED])
def test_what_no_lms_takes_for_its_size_is_refused_before_it_is_read(url: str) -> None:
    reply = saying("x" * MAX_REPLY_BYTES)
    assert check_reply(url, reply).wrong == (
        f"it has {len(reply)} bytes, more than the 2621440 that an LMS is taken to take (MAX_REPLY_SIZE)"
    )
    assert check_reply(url, reply, len(reply)) == NOTHING_TO_SAY
    assert check_reply(ELSEWHERE, reply) == Finding()


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (extra(b"[" * 499 + b"]" * 499), None),
        (extra(b"[" * 500 + b"]" * 500), "it is nested too deeply"),
        (extra(b"[" + b"[]," * 49_990 + b"[]]"), None),
        (extra(b"[" + b"{}," * 50_000 + b"[]]"), "it has more than 100000 values"),
        (extra(b"[" + b"1," * 99_990 + b"1]"), None),
        (extra(b"[" + b"1," * 100_000 + b"1]"), "it has more than 100000 values"),
        (extra(b"[" + b'"",' * 300_000 + b'""]'), "it has more than 100000 values"),
        (saying("[{,," * 200_000), None),
        (saying('"' * 500_000 + "," * 200_000), None),
        (saying('\\"[{' * 200_000), None),
        (saying("\\" * 7 + "[" * 200_000), None),
    ],
    ids=lambda value: str(value)[-30:],
)
def test_values_and_their_depth_are_counted_outside_of_strings_alone(reply: bytes, why: str | None) -> None:
    assert wrong_with_reply(SCORE, reply) == why


def test_what_begins_with_ten_thousand_things_that_html_drops_is_taken_for_nothing() -> None:
    assert wrong_with_reply(SCORE, saying("<td>" * 9_000 + "text")) is None
    assert wrong_with_reply(SCORE, saying("<td>" * 10_000 + "text")) == NOTHING
    assert wrong_with_reply(SCORE, saying("<p " + "a='' " * 9_000 + ">")) is None
    assert wrong_with_reply(SCORE, saying("<p " + "a='' " * 10_000 + ">")) == NOTHING
