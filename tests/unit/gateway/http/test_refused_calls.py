"""What an LMS or a grader is refused stands in the log with who, where and why, and nobody can fill it."""

import logging
from collections.abc import Iterator

import pytest

from gateway.http.refusals import QueueNotFoundError, RefusedError
from gateway.http.refused_calls import AGAIN_SECONDS, MAX_CALLERS, MAX_LINES, MAX_MISTAKES, RefusedCalls
from tests.support.clock import Clock

UNKNOWN = QueueNotFoundError("Queue 'mitx' not found")


@pytest.fixture
def refused(clock: Clock) -> RefusedCalls:
    return RefusedCalls(clock)


@pytest.fixture(autouse=True)
def _logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.WARNING):
        yield


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_a_mistake_is_said_once_an_hour(refused: RefusedCalls, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(100):
        refused.note("lms", "10.0.0.7", "/xqueue/submit/", UNKNOWN)
        clock.now += 1
    why = "is refused: Queue 'mitx' not found (said once an hour)"
    assert lines(caplog) == [f"/xqueue/submit/ by 'lms' at 10.0.0.7 {why}"]
    clock.now += AGAIN_SECONDS
    refused.note("lms", "10.0.0.7", "/xqueue/submit/", UNKNOWN)
    refused.note("", "10.0.0.7", "/xqueue/login/", RefusedError("Insufficient login info"))
    assert len(lines(caplog)) == 3
    assert lines(caplog)[2].startswith("/xqueue/login/ by 10.0.0.7 is refused: Insufficient login info")


def test_what_the_caller_is_not_told_is_said_with_it(refused: RefusedCalls, caplog: pytest.LogCaptureFixture) -> None:
    error = RefusedError("Queue request has invalid format")
    error.__cause__ = ValueError("lms_key in xqueue_header is missing")
    refused.note("lms", "10.0.0.7", "/xqueue/submit/", error)
    error = RefusedError("Reply is too large: 5 bytes")
    error.__cause__ = ValueError("5 bytes")
    refused.note("grader", "10.0.0.7", "/xqueue/put_result/", error)
    assert "invalid format: lms_key in xqueue_header is missing (" in lines(caplog)[0]
    assert "Reply is too large: 5 bytes (" in lines(caplog)[1]


def test_one_caller_fills_neither_log_nor_memory_and_takes_nobody_elses_lines(
    refused: RefusedCalls, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(10 * MAX_LINES):
        name = f"a\n\x1b[2J\u202e\ud800{number}" + "x" * 10_000
        refused.note("stranger", "1.2.3.4", "/xqueue/submit/", QueueNotFoundError(f"Queue '{name}' not found"))
    assert len(lines(caplog)) == MAX_LINES
    assert max(map(len, lines(caplog))) < 500
    assert all(line.isprintable() for line in lines(caplog))
    refused.note("lms", "10.0.0.7", "/xqueue/submit/", UNKNOWN)
    assert len(lines(caplog)) == MAX_LINES + 1
    for number in range(10 * MAX_MISTAKES):
        clock.now += AGAIN_SECONDS
        refused.note("stranger", "1.2.3.4", "/xqueue/submit/", RefusedError(str(number)))
    for number in range(2 * MAX_CALLERS):
        refused.note(str(number), "1.2.3.4", "/xqueue/submit/", UNKNOWN)
    assert len(refused._written) == MAX_CALLERS
    assert all(len(written._mistakes) <= MAX_MISTAKES for written in refused._written.values())
