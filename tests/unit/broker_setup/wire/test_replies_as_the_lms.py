"""The check against the parsers that the LMS itself uses: what it would choke on is refused, what it takes is taken."""

import json
from typing import Any

import html5lib
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some
from lxml import etree

from broker_setup.wire.replies import check_reply

# html5lib renames what XML can't have, with a warning; the LMS's process lives on with it.
pytestmark = pytest.mark.filterwarnings("ignore::html5lib.constants.DataLossWarning")

SCORE = "https://lms.example/courses/x/xqueue/7/block/score_update"
# Refused also where an LMS happens to take them: document types that declare anything, and characters that can't be
# kept but stand where they are dropped, in a comment or a tag that is never closed.
REFUSED_ANYWHERE = ("its msg declares a document type", "its msg has a character", "its msg refers to a character")


def lms_takes(reply: bytes) -> bool:
    """Do with a reply what the LMS does: read it, look at its message, compare its score with 0, and keep it."""
    try:
        content = json.loads(reply.decode(errors="replace"))
    except ValueError:
        return False
    if not isinstance(content, dict) or not {"correct", "score", "msg"} <= set(content):
        return False
    try:
        max(0, content["score"])
        json.dumps(content["score"], allow_nan=False)
        float(content["score"])
        return shows(content["msg"])
    except (TypeError, ValueError, OverflowError):
        return False


def shows(msg: Any) -> bool:
    try:
        etree.fromstring(msg)
    except etree.XMLSyntaxError:
        return bool(html5lib.parseFragment(msg, treebuilder="lxml", namespaceHTMLElements=False))
    return True


_TAGS = ["p", "div", "td", "table", "tr", "br", "html", "body", "script", "svg", "audio", "pre", "select", "a"]
_PIECES = [
    *(f"<{tag}>" for tag in _TAGS),
    *(f"</{tag}>" for tag in _TAGS),
    *(f"<{tag} " for tag in _TAGS),
    *("<", ">", "/", "</", "<!", "<!--", "-->", "<?", "?>", "<![CDATA[", "]]>", "</>", "&", ";", "="),
    *("a=", "='", '="', "==", "'", '"', " ", "\n", "x", "é", "b='x'", 'c="<"', "/>", "<!DOCTYPE html>", "<!doctype"),
    *("&amp;", "&nbsp;", "&#65;", "&#0;", "&#27;", "&#x1b", "&#65535;", "&#xD800;", "&#1114112;"),
    *("\0", "\t", "\x7f", "\x85", "\ufeff", "\x1b", "\x0b", "\ufffe", "\ud800", "<?xml version='1.0'?>"),
]
MARKUP = some.lists(some.sampled_from(_PIECES), max_size=12).map("".join)
SCORES: some.SearchStrategy[Any] = (
    some.integers() | some.floats() | some.booleans() | some.none() | some.text(max_size=3) | some.just([])
)


@settings(deadline=None, max_examples=200)
@given(MARKUP)
@example('<td a=b="c>d">')
@example('<td ==">')
@example('<td/="x>y">')
@example('<a b=c"d>')
def test_a_message_is_taken_where_the_lms_shows_it_and_refused_where_it_can_not(msg: str) -> None:
    reply = json.dumps({"correct": True, "score": 1, "msg": msg}).encode()
    wrong = check_reply(SCORE, reply).wrong
    if not wrong.startswith(REFUSED_ANYWHERE):
        assert (wrong == "") == lms_takes(reply), (msg, wrong)


@settings(deadline=None)
@given(SCORES, some.sampled_from(["", "x", 1, None]) | some.text(max_size=3))
def test_a_score_is_taken_where_the_lms_can_compute_with_it(score: Any, correct: Any) -> None:
    reply = json.dumps({"correct": correct, "score": score, "msg": "<p>x</p>"}).encode()
    assert (check_reply(SCORE, reply).wrong == "") == lms_takes(reply)


@settings(deadline=None)
@given(
    some.binary(max_size=40)
    | some.dictionaries(some.sampled_from(["correct", "score", "msg", "more"]), SCORES).map(json.dumps).map(str.encode)
)
def test_a_reply_without_all_that_the_lms_asks_for_is_refused(reply: bytes) -> None:
    assert (check_reply(SCORE, reply).wrong == "") == lms_takes(reply)
