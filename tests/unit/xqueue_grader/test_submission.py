"""What a function sees of a code problem's body."""

import json

import pytest

from xqueue_grader import Submission
from xqueue_grader.errors import UnreadableBodyError


def submission(body: str) -> Submission:
    return Submission(body, {}, 1, "openedx", 1, "0" * 32)


def test_the_parts_of_a_code_problems_body_are_at_hand() -> None:
    found = submission(json.dumps({"student_response": "print(1)", "grader_payload": "{}"}))
    assert (found.student_response, found.grader_payload) == ("print(1)", "{}")


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[]", "{}", '{"student_response": 7}', "[" * 100_000], ids=lambda text: text[:20]
)
def test_a_body_of_another_kind_has_no_such_parts(body: str) -> None:
    with pytest.raises(UnreadableBodyError) as caught:
        _ = submission(body).student_response
    assert str(caught.value) == "xqueue_body is not JSON with a text 'student_response'"
    assert isinstance(caught.value, ValueError)  # as it always was: a function may catch that
