"""Which routing keys are silent: those alone for which something waits, and nothing later was confirmed."""

from broker_setup.link.unconfirmed import Unconfirmed


def test_a_key_is_silent_since_its_oldest_publish_was_sent_and_others_are_not() -> None:
    here = Unconfirmed()
    here.sent("silent", 1, 100.0)
    here.sent("silent", 2, 103.0)
    assert here.silent_for("silent", 105.0) == 5.0
    assert here.silent_for("other", 105.0) == 0.0
    assert here.pending("silent") == 2


def test_a_confirm_is_an_answer_though_older_ones_still_wait() -> None:
    here = Unconfirmed()
    for number in range(4):
        here.sent("slow", number, 100.0)
    here.confirmed("slow", 0, 104.0)
    assert here.silent_for("slow", 105.0) == 1.0


def test_what_was_sent_before_something_that_was_confirmed_says_nothing_any_more() -> None:
    here = Unconfirmed()
    here.sent("key", "lost with the old leader", 100.0)
    here.sent("key", "sent to the new one", 110.0)
    here.confirmed("key", "sent to the new one", 110.1)
    assert here.silent_for("key", 1_000.0) == 0.0
    assert here.pending("key") == 0
    here.sent("key", "next", 1_000.0)
    assert here.silent_for("key", 1_003.0) == 3.0
    here.confirmed("key", "lost with the old leader", 1_004.0)
    assert here.silent_for("key", 1_005.0) == 1.0


def test_what_failed_or_was_sent_on_another_connection_says_nothing() -> None:
    here = Unconfirmed()
    here.sent("key", 1, 100.0)
    here.forget(1)
    assert here.silent_for("key", 200.0) == 0.0
    here.sent("key", 2, 100.0)
    here.clear()
    assert here.silent_for("key", 200.0) == 0.0
    here.confirmed("key", 2, 200.0)
    here.forget(2)


def test_nothing_is_kept_of_a_key_for_which_nothing_waits() -> None:
    here = Unconfirmed()
    for number in range(1_000):
        here.sent(f"key {number}", number, 100.0)
        here.confirmed(f"key {number}", number, 101.0)
    assert not here._keys
