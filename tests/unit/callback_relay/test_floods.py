"""Who floods the results with what is none: beyond a number their junk is turned away, and nobody else's."""

from callback_relay.floods import (
    AT_ONCE,
    EACH_SECOND,
    MOST_PARKED,
    SAY_SECONDS,
    UNOPENED_AT_ONCE,
    UNOPENED_EACH_SECOND,
    Floods,
    LatelyParked,
    OnRungs,
)
from callback_relay.job import Identity


def turned_away(floods: Floods, user: str | None, pieces: int, now: float) -> int:
    return sum(floods.is_one(user, now) for _ in range(pieces))


def test_so_much_of_one_sender_is_parked_with_its_reason_and_all_beyond_is_turned_away() -> None:
    floods = Floods()
    assert turned_away(floods, "mallory", 20_000, 0.0) == 20_000 - AT_ONCE
    assert turned_away(floods, "mallory", 20_000, 1.0) == 20_000 - EACH_SECOND
    assert turned_away(floods, "mallory", 20_000, 1_000.0) == 20_000 - AT_ONCE


def test_another_senders_junk_is_another_matter_and_who_names_no_user_is_one_sender() -> None:
    floods = Floods()
    turned_away(floods, "mallory", 20_000, 0.0)
    assert turned_away(floods, "broken", int(AT_ONCE), 0.0) == 0
    assert turned_away(floods, None, int(AT_ONCE) + 1, 0.0) == 1


def test_a_grader_that_is_broken_and_slow_is_told_of_each_of_its_mistakes() -> None:
    floods = Floods()
    assert sum(floods.is_one("broken", number / EACH_SECOND) for number in range(1_000)) == 0


def test_of_what_may_only_wait_for_a_secret_more_is_let_through() -> None:
    floods = Floods(UNOPENED_AT_ONCE, UNOPENED_EACH_SECOND)
    assert turned_away(floods, "mallory", 20_000, 0.0) == 20_000 - UNOPENED_AT_ONCE
    assert turned_away(floods, "mallory", 20_000, 1.0) == 20_000 - UNOPENED_EACH_SECOND


def test_where_there_is_no_room_any_piece_is_one_too_many() -> None:
    assert Floods().is_one("mallory", 0.0, is_full=True)


def test_what_waits_on_rungs_is_counted_by_sender_until_it_comes_back_and_a_return_takes_the_place_it_had() -> None:
    on_rungs = OnRungs(2)
    for due in (10.0, 20.0):
        assert not on_rungs.is_full("mallory", 0.0)
        on_rungs.went("mallory", due)
    assert on_rungs.is_full("mallory", 9.0)
    assert not on_rungs.is_full("broken", 9.0)
    assert not on_rungs.is_full("mallory", 10.0), "the first is back"
    on_rungs.went("mallory", 40.0)
    assert on_rungs.is_full("mallory", 19.0)


def test_the_log_says_it_once_in_a_while_with_who_and_how_many() -> None:
    floods = Floods()
    turned_away(floods, "mallory", 200, 0.0)
    assert floods.line("mallory", 0.0).startswith("user 'mallory' floods the results with what is none: 100 so far")
    assert floods.line("mallory", SAY_SECONDS - 1) == ""
    assert floods.line("mallory", SAY_SECONDS)


def test_the_last_that_were_parked_are_known_and_no_more_of_them_than_there_is_room_for() -> None:
    parked = LatelyParked()
    for number in range(MOST_PARKED + 1):
        parked.add(Identity(str(number), 0, 0))
    assert Identity("0", 0, 0) not in parked
    assert Identity(str(MOST_PARKED), 0, 0) in parked
    assert Identity(str(MOST_PARKED), 0, 1) not in parked, "an operator's redrive is another one"


def test_what_was_not_parked_after_all_is_not_known() -> None:
    parked = LatelyParked()
    parked.add(Identity("0", 0, 0))
    parked.discard(Identity("0", 0, 0))
    assert Identity("0", 0, 0) not in parked
