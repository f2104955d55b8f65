"""What becomes of a result whose return address was sealed under a secret that the relay does not know."""

from broker_setup.wire.results import NO_TRIES, Result, Tries, decode_result, encode_result
from callback_relay.ladder import Ladder
from callback_relay.verdict import Park, Patience, Retry, judge_unopened
from tests.support.deliveries import delivered

UUID = "0" * 32
LADDER = Ladder((1, 5, 30))
PATIENCE = Patience(5, 3600)
NOW = 1_000_000


def test_it_climbs_the_ladder_and_counts_no_callback() -> None:
    first = judge_unopened("why", NO_TRIES, LADDER, PATIENCE, now=NOW)
    assert isinstance(first, Retry)
    assert (first.delay, first.tries, first.opened) == (1, Tries(waits=1, since=NOW), False)
    second = judge_unopened("why", first.tries, LADDER, PATIENCE, now=NOW + 1)
    assert isinstance(second, Retry)
    assert (second.delay, second.tries) == (5, Tries(waits=2, since=NOW))


def test_it_is_parked_when_nobody_has_the_secret_for_as_long_as_a_failing_lms_is_waited_for() -> None:
    assert isinstance(judge_unopened("why", Tries(waits=9, since=NOW), LADDER, PATIENCE, now=NOW + 3600), Retry)
    assert isinstance(judge_unopened("why", Tries(waits=9, since=NOW), LADDER, PATIENCE, now=NOW + 3601), Park)


def test_who_sent_it_travels_with_its_copy_and_counts_only_where_we_wrote_that() -> None:
    result = Result(UUID, b"reply", "sealed", Tries(waits=1, since=NOW), sender="a grader")
    message = encode_result(result)
    assert decode_result(delivered(message)).sender == "a grader"
    assert decode_result(delivered(message), ours=False).sender is None
