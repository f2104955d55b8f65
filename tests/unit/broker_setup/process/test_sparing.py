"""What strangers can have written into a log: a few lines of each kind a minute, and how many more there were."""

import logging

import pytest

from broker_setup.process.sparing import MOST_LINES, SECONDS, Sparing


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(clock: Clock, caplog: pytest.LogCaptureFixture) -> logging.Logger:
    made = logging.getLogger(f"test.{id(clock)}")
    made.addFilter(Sparing(clock))
    caplog.set_level(logging.INFO, made.name)
    return made


def test_of_a_flood_a_few_lines_are_written_and_the_next_minute_says_how_many_were_not(
    log: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        log.info("%s asks", f"stranger {number}")
    assert caplog.messages == [f"stranger {number} asks" for number in range(MOST_LINES)]
    clock.now += SECONDS
    log.info("%s asks", "another")
    log.info("%s asks", "one more")
    more = f"another asks (and {1000 - MOST_LINES} more like it, which were not written)"
    assert caplog.messages[MOST_LINES:] == [more, "one more asks"]


def test_a_flood_of_one_kind_hides_no_other(log: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(1000):
        log.info("flood %d", number)
    log.warning("the one that matters")
    assert caplog.messages[-1] == "the one that matters"


def test_a_text_with_percent_signs_and_no_arguments_stays_as_it_is(
    log: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(MOST_LINES + 1):
        log.info("100 % of it")
    clock.now += SECONDS
    log.info("100 % of it")
    assert caplog.messages[-1] == "100 % of it (and 1 more like it, which were not written)"


def test_a_flood_hides_no_line_of_the_same_text_that_names_another_kind(
    log: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(1000):
        log.warning("%s refused", f"flood {number}", extra={"kind": "a"})
    log.warning("%s refused", "the one that matters", extra={"kind": "b"})
    assert caplog.messages[MOST_LINES:] == ["the one that matters refused"]
    clock.now += SECONDS
    log.warning("%s refused", "b", extra={"kind": "b"})
    log.warning("%s refused", "a", extra={"kind": "a"})
    more = f"a refused (and {1000 - MOST_LINES} more like it, which were not written)"
    assert caplog.messages[MOST_LINES + 1 :] == ["b refused", more]
