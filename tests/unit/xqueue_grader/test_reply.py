"""Replies that are made by the library are such that the LMS shows them."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from broker_setup.wire.replies import FINE, check_strictly
from xqueue_grader import reply
from xqueue_grader.reply import encoded


@given(some.text())
def test_any_text_at_all_can_be_shown(text: str) -> None:
    assert check_strictly(json.dumps(reply(correct=False, score=0, text=text)).encode()) == FINE


def test_text_is_shown_as_it_is() -> None:
    assert reply(correct=True, score=1, text="a < b\n\t& c")["msg"] == "<pre>a &lt; b\n\t&amp; c</pre>"


def test_markup_goes_out_as_it_is() -> None:
    made = {"correct": True, "score": 0.5, "msg": "<p>Good <b>job</b></p>"}
    assert reply(correct=True, score=0.5, markup="<p>Good <b>job</b></p>") == made


@pytest.mark.parametrize("markup", ["", "</b>", "\x1b[31m"])
def test_markup_that_shows_nothing_is_an_error(markup: str) -> None:
    with pytest.raises(ValueError, match="its msg"):
        reply(correct=True, score=1, markup=markup)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, None, "100", 10**399])
def test_a_score_that_is_no_finite_number_is_an_error(score: Any) -> None:
    with pytest.raises(ValueError, match="score"):
        reply(correct=True, score=score)


def test_a_correct_that_is_text_is_taken_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    wrong: Any = "False"
    assert reply(correct=wrong, score=0, text="x")["correct"] == "False"
    assert "its correct is text" in caplog.text


@pytest.mark.parametrize(
    ("answer", "sent"), [(b"\xff", b"\xff"), ("\u00e9", "\u00e9".encode()), ({"msg": "<p/>"}, b'{"msg": "<p/>"}')]
)
def test_bytes_text_and_mappings_are_sent(answer: Any, sent: bytes) -> None:
    assert encoded(answer) == sent


@pytest.mark.parametrize("answer", [None, True, 7, ["a"], ("a", 1)])
def test_anything_else_is_an_error(answer: Any) -> None:
    with pytest.raises(TypeError, match="bytes, text or a mapping"):
        encoded(answer)
