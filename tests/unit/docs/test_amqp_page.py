"""docs/reference/amqp.md has what messages really carry, and docs/howto/grader.md the library's options."""

import dataclasses
import json
import shutil
import subprocess

import pytest

from broker_setup.amqp.messages import Message, Properties
from broker_setup.queue_arguments import CONSUMER_TIMEOUT_MS
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_PARKED, submissions_queue
from broker_setup.wire.properties import (
    DELIVERY_COUNT_HEADER,
    MAX_MESSAGE_BYTES,
    MAX_RETURN_BYTES,
    TRACEPARENT_HEADER,
)
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.submissions import Submission
from broker_setup.wire.submissions import encode_submission as encode
from tests.support.project import ROOT, quoted, table_rows, text
from xqueue_grader import Options

PAGE = text("docs/reference/amqp.md")
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])
UUID = "0123456789abcdef" * 2
SUBMISSION = encode(Submission(UUID, "openedx", "work", "sealed", {"a": "http://a"}, redriven=1, untold=True))
RESULT = encode_result(Result(UUID, b"{}", "sealed"))
# Set by the publisher, by RabbitMQ, and where spans are sent.
USER, COUNTED, TRACED = {"user_id"}, {DELIVERY_COUNT_HEADER}, {TRACEPARENT_HEADER}


def names(markdown: str) -> set[str]:
    """What the first cells of a section's tables name."""
    return {name for row in table_rows(markdown) for name in quoted(row[0])}


def carried(message: Message) -> set[str]:
    return {field.name for field in dataclasses.fields(Properties) if getattr(message, field.name)}


def tables(section: str) -> list[str]:
    return [part for part in SECTIONS[section].split("\n\n") if part.startswith("|")]


def test_a_submissions_fields_are_those_of_its_body() -> None:
    fields, _, _ = tables("A submission")
    assert names(fields) == set(json.loads(SUBMISSION.body))


def test_a_submissions_properties_are_those_that_it_has() -> None:
    _, properties, _ = tables("A submission")
    assert names(properties) == carried(SUBMISSION) | USER


def test_a_submissions_headers_are_those_that_it_has() -> None:
    *_, headers = tables("A submission")
    assert names(headers) == set(SUBMISSION.headers) | COUNTED | TRACED


def test_a_replys_properties_are_those_that_we_give_it_ourselves() -> None:
    [properties] = tables("A reply")
    assert names(properties) == carried(RESULT) | USER
    assert set(RESULT.headers) == set(quoted(table_rows(properties)[1][2]))


def test_what_is_echoed_is_what_a_result_has_of_its_submission() -> None:
    _, properties, headers = tables("A submission")
    echoed = {quoted(row[0])[0] for table in (properties, headers) for row in table_rows(table) if row[3] != "no"}
    assert echoed == {"correlation_id", "reply_to", "headers", *RESULT.headers}


def test_numbers_and_names_are_the_codes() -> None:
    assert f"up to {MAX_RETURN_BYTES // 1024} KiB" in PAGE
    assert f"{MAX_MESSAGE_BYTES // 1024**2} MiB" in PAGE
    assert CONSUMER_TIMEOUT_MS == 24 * 3600 * 1000, "the page says: a day"
    assert f"reject from {Options().returns} up" in PAGE
    assert {RESULTS_EXCHANGE, RESULTS_PARKED, submissions_queue("matlab")} <= set(quoted(PAGE))


def test_the_lines_that_it_shows_are_the_examples() -> None:
    [shown] = [part.split("```")[0] for part in PAGE.split("```python\n")[1:]]
    assert shown in text("examples/pika_grader.py")


@pytest.mark.skipif(not shutil.which("node"), reason="there is no Node here to check JavaScript's syntax")
def test_the_example_in_javascript_can_be_read() -> None:
    subprocess.run(["node", "--check", "examples/amqplib_grader.mjs"], cwd=ROOT, check=True, timeout=60)


def test_the_librarys_options_are_in_the_guide() -> None:
    [table] = [part for part in text("docs/howto/grader.md").split("\n\n") if part.startswith("| option")]
    options = {quoted(row[0])[0]: row[1] for row in table_rows(table)}
    assert list(options) == [field.name for field in dataclasses.fields(Options)]
    assert list(options.values()) == [shown(field) for field in dataclasses.fields(Options)]


def shown(option: "dataclasses.Field[object]") -> str:
    match option.default:
        case None:
            return "`at_once`" if option.name == "prefetch" else "none"
        case str(value):
            return f"`{value}`"
        case value:
            return f"{value:g}"
