"""The self-check's own messages are what an LMS and a grader would send, and what it makes of a late callback."""

import json

import pytest

from deploy.local.self_check import REPLY, CallbackLateError, body_of, why_late


def test_the_reply_is_one_that_the_lms_accepts() -> None:
    reply = json.loads(REPLY)
    assert (reply["correct"], reply["score"], reply["msg"]) == (True, 0.9, "<p>Good job!</p>")


def test_the_body_is_the_hello_world_problem_and_each_checks_own() -> None:
    assert json.loads(json.loads(body_of("a"))["grader_payload"]) == {"name": "hello world"}
    assert body_of("a") != body_of("b")


def test_a_late_callback_is_no_failure_where_other_results_are_before_it() -> None:
    late = CallbackLateError("late")
    assert why_late(late, 12, relay_runs=True) == "not finished: its result waits for the relay, with 11 others"
    for results, relay_runs in ((0, True), (1, True), (12, False)):
        with pytest.raises(CallbackLateError):
            why_late(late, results, relay_runs=relay_runs)
