"""When a grader that is called is called again: after each pause, but not for the same refused reply."""

from gateway.passive.tries import Tries

DELAYS = (1.0, 5.0, 20.0)


def test_what_fails_is_tried_again_after_each_pause_and_then_no_more() -> None:
    tries = Tries(DELAYS)
    assert [tries.failed() for _ in range(4)] == [1.0, 5.0, 20.0, None]
    assert tries.made == 4


def test_the_same_refused_reply_a_second_time_is_the_last() -> None:
    tries = Tries(DELAYS)
    assert [tries.failed(b'{"msg": "\\u0000"}') for _ in range(2)] == [1.0, None]
    assert tries.made == 2


def test_so_it_is_with_other_failures_between_the_two() -> None:
    tries = Tries(DELAYS)
    assert [tries.failed(reply) for reply in (b"Traceback", None, b"Traceback")] == [1.0, 5.0, None]


def test_other_refused_replies_and_none_at_all_use_up_the_pauses() -> None:
    tries = Tries(DELAYS)
    assert [tries.failed(b"%d" % number) for number in range(4)] == [1.0, 5.0, 20.0, None]


def test_a_page_or_nothing_of_what_stands_before_the_grader_may_pass() -> None:
    for page in (b"", b"\n", b"<html>Back soon</html>", b"\xef\xbb\xbf\r\n<!doctype html>"):
        tries = Tries(DELAYS)
        assert [tries.failed(page) for _ in range(4)] == [1.0, 5.0, 20.0, None]


def test_without_pauses_there_is_one_try() -> None:
    assert Tries(()).failed() is None
