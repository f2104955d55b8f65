from datetime import UTC, datetime

from broker_setup.wire.waits import (
    WAITS_ORIGIN_HEADER,
    WAITS_QUEUE_HEADER,
    WAITS_REASON_HEADER,
    WAITS_UNTIL_HEADER,
    Wait,
    read_wait,
    waits_headers,
)


def test_a_wait_is_read_as_it_was_written() -> None:
    headers = waits_headers("http://lms:80", "openedx", "answered 503", 1_700_000_000.25)
    until = datetime.fromtimestamp(1_700_000_000.25, UTC)
    assert read_wait(headers) == Wait("http://lms:80", "openedx", "answered 503", until)


def test_an_endless_reason_and_a_long_name_fit_a_message() -> None:
    headers = waits_headers("o" * 9999, "q" * 9999, "r" * 9999, 0)
    assert sum(map(len, headers.values())) < 1600


def test_whatever_stands_there_can_be_read() -> None:
    names = (WAITS_ORIGIN_HEADER, WAITS_QUEUE_HEADER, WAITS_REASON_HEADER, WAITS_UNTIL_HEADER)
    odd: tuple[object, ...] = (None, 1, b"\xff", "", [], {}, "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999")
    for value in odd:
        wait = read_wait(dict.fromkeys(names, value))
        assert wait.until is None
    assert read_wait({}) == Wait("", "", "", None)
    assert read_wait({WAITS_UNTIL_HEADER: "2026-01-01T00:00:00"}).until == datetime(2026, 1, 1, tzinfo=UTC)
