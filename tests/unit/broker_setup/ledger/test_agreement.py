"""A machine whose clock is off is told, and hands nothing out; one bad clock stops nobody else."""

import logging

import pytest

from broker_setup.ledger.agreement import MAX_SECONDS, SAMPLE_SECONDS, Agreement

NOW = 1_000_000.0


def agreement(**offsets: float) -> Agreement:
    """What is known when each of these writers' clocks is so far ahead of ours."""
    made = Agreement("me")
    for writer, offset in offsets.items():
        made.hear(writer, NOW + offset, NOW, late=False)
    return made


@pytest.mark.parametrize("off", [-180.0, 180.0, 86_400.0])
def test_where_most_others_disagree_with_this_machine_it_hands_nothing_out(off: float) -> None:
    made = agreement(gateway=-off, relay=-off)
    assert made.off(NOW) == off
    assert f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} the others'" in made.problem(NOW)


def test_one_writer_whose_clock_is_off_stops_nobody_else() -> None:
    assert agreement(laptop=86_400.0, relay=0.01).problem(NOW) == ""
    assert agreement(laptop=86_400.0, relay=0.01, gateway=-0.02).problem(NOW) == ""


def test_of_two_that_disagree_nobody_knows_which_is_right_and_both_go_on() -> None:
    assert agreement(laptop=86_400.0).problem(NOW) == ""
    assert agreement(laptop=-86_400.0).problem(NOW) == ""


def test_alone_and_within_the_bound_a_clock_is_right() -> None:
    assert agreement().problem(NOW) == ""
    assert agreement(gateway=MAX_SECONDS, relay=MAX_SECONDS).problem(NOW) == ""


def test_a_gateway_that_was_frozen_and_reads_what_has_waited_does_not_take_its_clock_for_wrong() -> None:
    made = agreement(gateway=0.0, relay=0.0)
    for writer in ("gateway", "relay"):
        made.hear(writer, NOW - 50, NOW + 50, late=False)  # sent 100 s before it was read
    assert made.problem(NOW + 50) == ""


def test_what_may_be_late_proves_only_that_others_are_ahead() -> None:
    made = Agreement("me")
    for writer in ("gateway", "relay"):
        made.hear(writer, NOW - 3_600, NOW, late=True)
    assert made.problem(NOW) == ""
    for writer in ("gateway", "relay"):
        made.hear(writer, NOW + 3_600, NOW, late=True)
    assert "behind" in made.problem(NOW)


def test_a_clock_that_was_set_right_agrees_after_a_while() -> None:
    made = agreement(gateway=180.0, relay=180.0)
    assert made.problem(NOW)
    later = NOW + SAMPLE_SECONDS + 1
    for writer in ("gateway", "relay"):
        made.hear(writer, later, later, late=False)
    assert made.problem(later) == ""
    assert agreement(gateway=180.0, relay=180.0).problem(later) == "", "and so does one that hears nobody any more"


def test_our_own_frames_and_those_of_a_version_that_does_not_say_when_they_were_sent_count_for_nothing() -> None:
    made = Agreement("me")
    made.hear("me", NOW + 500, NOW, late=False)
    made.hear("old gateway", 0.0, NOW, late=False)
    made.hear("old relay", 0.0, NOW, late=False)
    assert made.problem(NOW) == ""


def test_a_clock_that_is_two_seconds_ahead_is_worth_one_line(caplog: pytest.LogCaptureFixture) -> None:
    made = agreement(gateway=1.9)
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        for _ in range(100):
            made.hear("gateway", NOW + 2.5, NOW, late=False)
    assert [record.getMessage() for record in caplog.records] == [
        "the clock of gateway is 2.5 s ahead of this machine's, or more: one of them is wrong, is NTP running?"
    ]


def test_any_number_of_writers_fills_no_memory() -> None:
    made = Agreement("me")
    for number in range(10_000):
        made.hear(f"laptop {number}", NOW + 5, NOW, late=False)
    assert len(made._others) <= 1_000
    assert len(made._warned_of) <= 1_000
