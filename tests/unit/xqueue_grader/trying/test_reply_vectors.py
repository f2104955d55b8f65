"""Bad replies of the field: what `xqueue-grader try` says of each, and that the server judges alike."""

import json
from typing import Any

import pytest

from broker_setup.wire.replies import MAX_REPLY_BYTES, check_reply
from tests.support.project import text
from tests.support.vectors import what
from xqueue_grader.trying.verdict import USUAL_PROXY_BYTES, prospect_of

CASES: list[dict[str, Any]] = json.loads(text("tests/vectors/replies.json"))
SCORE_UPDATE = "https://lms.example/courses/course-v1:X+Y+Z/xqueue/7/block/score_update"


def bytes_of(case: dict[str, Any]) -> bytes:
    return str(case["reply"]).encode()


@pytest.mark.parametrize("case", CASES, ids=what)
def test_a_grader_is_told_what_is_wrong_and_what_is_odd(case: dict[str, Any]) -> None:
    prospect = prospect_of(bytes_of(case))
    assert (prospect.wrong, prospect.odd) == (case["wrong"], case["odd"])


@pytest.mark.parametrize("case", CASES, ids=what)
def test_the_server_judges_as_graders_are_told(case: dict[str, Any]) -> None:
    assert check_reply(SCORE_UPDATE, bytes_of(case)).wrong == case["wrong"]


def saying(msg: str) -> bytes:
    return json.dumps({"correct": True, "score": 1, "msg": msg}).encode()


def test_a_reply_that_is_too_large_for_an_lms_is_not_taken() -> None:
    reply = saying("x" * MAX_REPLY_BYTES)
    assert prospect_of(reply).wrong == check_reply(SCORE_UPDATE, reply).wrong != ""


@pytest.mark.parametrize(("length", "most"), [(USUAL_PROXY_BYTES, USUAL_PROXY_BYTES), (400_000, MAX_REPLY_BYTES)])
def test_a_reply_that_is_large_as_a_form_is_odd(length: int, most: int) -> None:
    [odd] = prospect_of(saying(("x" if most == USUAL_PROXY_BYTES else "\u00e9") * length)).odd
    assert f"takes {most} unless it is told otherwise" in odd


def test_bytes_that_are_no_utf_8_are_odd() -> None:
    prospect = prospect_of(b'{"correct": true, "score": 1, "msg": "a\xff"}')
    assert prospect.wrong == ""
    assert "no UTF-8" in prospect.odd[0]


@pytest.mark.parametrize("part", ["<b>", "</b>", "<", "<!--", "<a b='", "<x ", "<![CDATA[", "<?"])
def test_a_msg_that_parsers_take_minutes_for_is_not_looked_at(part: str) -> None:
    [odd] = prospect_of(saying(f"x{part * 20_000}")).odd
    assert odd == "its msg has more markup than is looked at here"
