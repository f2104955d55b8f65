"""Whose fault a failure is."""

from callback_relay.evidence import MIXED_SUSPECTS, SHORT_SPELL_SECONDS, SUSPECTS, Blame, Evidence, FailedUrls
from callback_relay.reason import Reason

FAILED = Reason("status_500", "answered 500")


def evidence() -> Evidence:
    return Evidence("http://lms", FailedUrls())


def fail(lms: Evidence, *urls: object, now: float = 0) -> list[Blame]:
    return [lms.failed(url, FAILED, now) for url in urls]


def sick() -> Evidence:
    lms = evidence()
    fail(lms, *range(SUSPECTS))
    assert lms.is_sick
    return lms


def test_of_a_url_that_fails_for_the_first_time_nobody_knows() -> None:
    lms = evidence()
    lms.succeeded("good", 0)
    assert fail(lms, "broken") == [Blame.OPEN]


def test_what_fails_again_after_others_have_succeeded_is_its_own_fault() -> None:
    lms = evidence()
    fail(lms, "broken")
    lms.succeeded("good", 0)
    assert fail(lms, "broken") == [Blame.URL]


def test_what_fails_again_and_nothing_has_succeeded_meanwhile_may_be_its_lms() -> None:
    lms = evidence()
    lms.succeeded("good", 0)
    assert fail(lms, "broken", "broken", "broken") == [Blame.OPEN, Blame.ORIGIN, Blame.ORIGIN]


def test_a_url_that_succeeds_between_its_failures_is_no_more_suspect_than_any() -> None:
    lms = evidence()
    fail(lms, "flaky")
    lms.succeeded("flaky", 0)
    assert fail(lms, "flaky") == [Blame.OPEN]


def test_one_url_however_often_it_fails_does_not_make_its_lms_sick() -> None:
    lms = evidence()
    fail(lms, *["broken"] * 100)
    assert not lms.is_sick


def test_many_different_urls_without_a_success_between_them_do() -> None:
    lms = evidence()
    fail(lms, *range(SUSPECTS - 1))
    assert not lms.is_sick
    assert fail(lms, "one more") == [Blame.ORIGIN]
    assert lms.is_sick


def test_a_success_between_them_ends_the_run() -> None:
    lms = evidence()
    for turn in range(20):
        fail(lms, *((turn, url) for url in range(SUSPECTS - 1)))
        lms.succeeded("good", 0)
    assert not lms.is_sick


def test_urls_that_are_known_to_be_sick_say_nothing_of_their_lms() -> None:
    lms = evidence()
    for half in (range(5), range(5, 10)):
        fail(lms, *half)
        lms.succeeded("good", 0)
    assert fail(lms, *range(10)) == [Blame.URL] * 10
    assert fail(lms, *range(10)) == [Blame.OPEN] * 10
    assert not lms.is_sick


def test_what_can_not_be_reached_is_sick_at_once() -> None:
    lms = evidence()
    assert lms.failed("any", FAILED, 0, is_unreachable=True) is Blame.ORIGIN
    assert lms.is_sick


def test_of_what_fails_while_its_lms_is_sick_that_is_to_blame() -> None:
    lms = sick()
    assert set(fail(lms, *range(100))) == {Blame.ORIGIN}
    assert lms.reason == FAILED


def test_one_success_and_it_is_well() -> None:
    lms = sick()
    lms.succeeded("good", 0)
    assert not lms.is_sick
    assert lms.reason is None
    assert lms.is_spotless


def test_after_a_short_spell_it_takes_more_to_make_it_sick_again() -> None:
    """Good ones among many broken ones, and no outage: with half of them broken a run of eight is soon there."""
    lms = sick()
    lms.succeeded("good", 10)
    fail(lms, *range(100, 100 + MIXED_SUSPECTS - 1), now=11)
    assert not lms.is_sick
    fail(lms, "one more", now=11)
    assert lms.is_sick
    lms.succeeded("good", 11 + SHORT_SPELL_SECONDS)
    fail(lms, *range(200, 200 + SUSPECTS), now=12 + SHORT_SPELL_SECONDS)
    assert lms.is_sick


def test_of_however_many_urls_no_more_than_so_many_are_remembered() -> None:
    failed = FailedUrls(most=10)
    lms = Evidence("http://lms", failed)
    fail(lms, *range(100))
    assert len(failed) == 10
    assert len(lms._suspects) <= SUSPECTS


def test_one_lms_knows_nothing_of_anothers_urls() -> None:
    failed = FailedUrls()
    one, another = Evidence("http://one", failed), Evidence("http://another", failed)
    fail(one, "same")
    another.succeeded("good", 0)
    assert fail(another, "same") == [Blame.OPEN]
