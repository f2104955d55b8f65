"""Logs for programs: one object in each line, whatever strangers have a part in, with what the line is about."""

import json
import logging

import pytest

from broker_setup.process.json_logs import JsonLines
from broker_setup.settings import Settings
from broker_setup.wire.results import NO_TRIES
from callback_relay import endings
from callback_relay.reason import Reason, Slug
from callback_relay.verdict import Delivered, Park, Retry, Verdict
from tests.support.deliveries import delivery


def told(record: logging.LogRecord, *, is_shared: bool = False) -> dict[str, object]:
    line = JsonLines(is_shared=is_shared).format(record)
    assert "\n" not in line
    read = json.loads(line)
    assert isinstance(read, dict)
    return read


def test_a_line_has_when_how_bad_where_from_and_what_it_is_about() -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, "Started %s", ("it",), None)
    record.created = 1795809221.25
    record.queue, record.uuid, record.kind, record.by = "openedx", "ab" * 16, "not ours to tell", ""
    assert told(record) == {
        "time": "2026-11-27T19:53:41.250Z",
        "level": "INFO",
        "logger": "uvicorn",
        "message": "Started it",
        "uuid": "ab" * 16,
        "queue": "openedx",
    }
    assert told(record, is_shared=True)["process"] == record.process


def test_a_traceback_in_a_message_is_the_lines_error() -> None:
    record = logging.LogRecord("grader", logging.ERROR, "", 0, "failed\nTraceback:\n  boom\x1b", (), None)
    assert told(record)["message"] == "failed\\nTraceback:\\n  boom\\x1b"
    record.in_lines = True
    line = told(record)
    assert (line["message"], line["error"]) == ("failed", "Traceback:\n  boom\\x1b")


def test_what_strangers_wrote_is_one_line_and_nothing_to_a_terminal() -> None:
    error = (ValueError, ValueError("a\x1b[31m\ud800"), None)
    record = logging.LogRecord("relay", logging.ERROR, "", 0, "%s", ("a\n\x1b[2J\u202e\ud800",), error)
    record.reason = "b\r\n\ud800"
    line = told(record)
    assert line["message"] == r"a\n\x1b[2J\u202e\ud800"
    assert line["reason"] == r"b\r\n\ud800"
    assert line["error"] == r"ValueError: a\x1b[31m\ud800"


@pytest.mark.parametrize(
    ("verdict", "level", "reason"),
    [
        (Delivered(), logging.INFO, None),
        (Park(Reason(Slug.REPLY, "w" * 600)), logging.WARNING, "w" * 500),
        (Retry(5, NO_TRIES, Reason(Slug.REPLY, "why")), logging.INFO, "why"),
    ],
)
def test_the_end_of_a_result_is_a_line_with_its_submission_its_queue_and_its_lms(
    verdict: Verdict, level: int, reason: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    message = delivery(body=b"", consumer_tag="tag", delivery_tag=1, correlation_id="ab" * 16)
    endings.tell(message, verdict, "https://lms.example:443", "openedx", logging.INFO)
    [record] = caplog.records
    assert record.levelno == level
    line = told(record)
    assert (line["uuid"], line["queue"], line["origin"]) == ("ab" * 16, "openedx", "https://lms.example:443")
    assert line.get("reason") == reason


def test_logs_are_for_people_unless_the_settings_say_otherwise() -> None:
    assert Settings().log_format == "text"
    assert Settings(log_format="json").log_format == "json"
