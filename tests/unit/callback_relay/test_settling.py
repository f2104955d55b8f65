"""What the relay writes into the copy of a result that it sends to a rung."""

from broker_setup.wire.messages import NO_TRIES, Result, decode_result, encode_result
from callback_relay.settling import _again
from tests.support.deliveries import delivered

UUID = "0123456789abcdef" * 2


def test_a_copy_says_that_the_ledger_has_heard_of_the_result() -> None:
    """It comes back untried from a rung where it only stood behind another: it is noted once all the same."""
    first = delivered(encode_result(Result(UUID, b"graded", "sealed")))
    assert not decode_result(first).recorded
    copy = decode_result(delivered(_again(first, NO_TRIES)))
    assert copy.recorded
    assert copy.tries == NO_TRIES
