"""How a broker that is away is told: soon, with every reason, and not in every line."""

import logging

from broker_setup.link.watching import REMINDER_SECONDS, Outage


def test_a_reason_is_said_once_and_whispered_after_that() -> None:
    outage = Outage("broker:5672", 100.0)
    words = "no connection to the broker at broker:5672: refused"
    assert outage.failed("refused", 100.0) == (logging.WARNING, words)
    assert outage.failed("refused", 100.5) == (logging.DEBUG, words)


def test_each_new_reason_is_said() -> None:
    outage = Outage("broker:5672", 100.0)
    levels = [outage.failed(why, 101.0)[0] for why in ("refused", "timeout", "refused", "timeout")]
    assert levels == [logging.WARNING, logging.WARNING, logging.DEBUG, logging.DEBUG]


def test_a_long_outage_is_called_to_mind_now_and_then() -> None:
    outage = Outage("broker:5672", 100.0)
    outage.failed("refused", 100.0)
    told = [outage.failed("refused", 100.0 + second) for second in range(1, 66)]
    said = [words for level, words in told if level == logging.WARNING]
    assert said == [f"still no connection to broker:5672 after {n * REMINDER_SECONDS:.0f} s: refused" for n in (1, 2)]
