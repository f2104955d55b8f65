"""The self-check's own messages are what an LMS and a grader would send."""

import json

from deploy.local.self_check import BODY, REPLY


def test_the_reply_is_one_that_the_lms_accepts() -> None:
    reply = json.loads(REPLY)
    assert (reply["correct"], reply["score"], reply["msg"]) == (True, 0.9, "<p>Good job!</p>")


def test_the_body_is_the_hello_world_problem() -> None:
    assert json.loads(json.loads(BODY)["grader_payload"]) == {"name": "hello world"}
