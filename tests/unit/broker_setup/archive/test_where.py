"""`--where`: what an operator types selects what they mean, and whatever stands in a body stops nothing."""

import json

import pytest

from broker_setup.archive.entries import ArchivedResult, ArchivedSubmission, Kept
from broker_setup.archive.where import all_of, condition_of
from broker_setup.errors import ArgumentError

BODY = json.dumps(
    {
        "student_info": json.dumps({"anonymous_student_id": "ann", "tries": 3}),
        "grader_payload": json.dumps({"problem": "hw1/A"}),
        "student_response": "print(1)",
    }
)


def kept(body: str = BODY, reply: bytes = b'{"score": 0.5, "correct": false}') -> Kept:
    submission = ArchivedSubmission("ab" * 16, "openedx", 0.0, "http://lms/courses/a/score_update", body)
    return Kept(submission, [ArchivedResult("ab" * 16, 1.0, reply)])


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("student=ann", True),
        ("student!=ann", False),
        ("student_info.tries>=3", True),
        ("student_info.tries=3.0", True),
        ("grader_payload.problem=hw1/A", True),
        ("grader_payload~HW1", True),
        ("body~print(2)", False),
        ("url~courses/a", True),
        ("score<1", True),
        ("score>0.5", False),
        ("correct=false", True),
        ("nothing.like.that=1", False),
        ("nothing<1", False),
    ],
)
def test_a_condition_holds_of_what_it_means(condition: str, holds: bool) -> None:  # noqa: FBT001
    assert condition_of(condition)(kept()) is holds


def test_all_of_several_have_to_hold() -> None:
    both = [condition_of("student=ann"), condition_of("score=0.5")]
    assert all_of(both)(kept())
    assert not all_of([*both, condition_of("correct=true")])(kept())


@pytest.mark.parametrize("body", ["", "no JSON", "[1]", '{"student_info": 5}', "[" * 100_000, '"\\ud800"'])
def test_any_body_is_one_that_nothing_is_found_in(body: str) -> None:
    assert not condition_of("student_info.tries=3")(kept(body))
    assert not condition_of("student=ann")(kept(body))


@pytest.mark.parametrize(
    "reply", [b"", b"[]", b'{"score": "1"}', b'{"score": NaN}', b'{"score": true}', b"[" * 100_000]
)
def test_a_reply_without_a_score_is_neither_above_nor_below(reply: bytes) -> None:
    assert not condition_of("score<1")(kept(reply=reply))
    assert not condition_of("score>=0")(kept(reply=reply))


@pytest.mark.parametrize("wrong", ["student", "=x", "score<many", ""])
def test_what_is_no_condition_is_refused(wrong: str) -> None:
    with pytest.raises(ArgumentError, match="--where"):
        condition_of(wrong)
