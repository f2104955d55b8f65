"""Every verdict, as docs/reference/relay.md has them."""

import pytest

from broker_setup.wire.results import NO_TRIES, Tries
from callback_relay.evidence import Blame
from callback_relay.ladder import Ladder
from callback_relay.outcome import (
    Answered,
    Kind,
    NoAnswer,
    NotAllowed,
    NotMade,
    NotWanted,
    Outcome,
    is_unreachable,
    kind_of,
)
from callback_relay.reason import NAMED_STATUSES, Reason, Slug, status_slug, status_slugs
from callback_relay.verdict import (
    MAX_COUNT,
    Delivered,
    Outdated,
    Park,
    Patience,
    Retry,
    Ruling,
    Tell,
    Verdict,
    judge,
    wait_untried,
)

LADDER = Ladder((1.0, 5.0, 30.0))
PATIENCE = Patience(refusals=3, seconds=3600)
NOW = 1_700_000_000.0
AGO = int(NOW) - 100
LONG_AGO = int(NOW) - 3601
HIGH, LOW = 0.99, 0.01
REFUSED_302 = Reason("status_3xx", "answered 302, and redirects are not followed")
NO_ANSWER = Reason(Slug.TIMEOUT, "no answer")
AWAY = Reason(Slug.NO_CONNECTION, "no connection")
FORBIDDEN = Reason(Slug.NOT_ALLOWED, "not allowed")


def failed(made: int, refused: int = 0, since: int = AGO, waits: int | None = None) -> Tries:
    return Tries(made, refused, made if waits is None else waits, since)


def first(refused: int = 0) -> Tries:
    return failed(1, refused, int(NOW))


def answered(status: int) -> Reason:
    return Reason(status_slug(status), f"answered {status}")


URL = Ruling(Blame.URL, 5)
OPEN = Ruling(Blame.OPEN, 5)
ORIGIN = Ruling(Blame.ORIGIN, 5)
MAY_BE_THERE = Ruling(Blame.URL, 5, may_be_there=True)
OUTDATED = Ruling(Blame.URL, 5, is_outdated=True)

# Of a URL that fails while others of its LMS succeed.
TABLE = [
    # delivered, whatever was before
    (Answered(200), NO_TRIES, Delivered()),
    (Answered(200), failed(9, 2), Delivered()),
    # refused: few tries, then parked
    (Answered(404), NO_TRIES, Retry(1, first(1), answered(404))),
    (Answered(404), failed(1, 1), Retry(5, failed(2, 2), answered(404))),
    (Answered(404), failed(2, 2), Park(answered(404), failed(3, 3, waits=2))),
    (Answered(410), failed(2, 2), Park(answered(410), failed(3, 3, waits=2))),
    (Answered(400), NO_TRIES, Retry(1, first(1), answered(400))),
    (Answered(401), failed(2, 2), Park(answered(401), failed(3, 3, waits=2))),
    (Answered(403), failed(2, 2), Park(answered(403), failed(3, 3, waits=2))),
    (Answered(201), NO_TRIES, Retry(1, first(1), answered(201))),
    (Answered(204), failed(2, 2), Park(answered(204), failed(3, 3, waits=2))),
    (Answered(302), NO_TRIES, Retry(1, first(1), REFUSED_302)),
    (Answered(302), failed(2, 2), Park(REFUSED_302, failed(3, 3, waits=2))),
    (
        Answered(301, location="https://lms.example/"),
        NO_TRIES,
        Retry(
            1,
            first(1),
            Reason("status_3xx", "answered 301 to https://lms.example/, and redirects are not followed"),
        ),
    ),
    # only refusals in a row count: an LMS that comes back from an outage may refuse once
    (Answered(404), failed(7), Retry(30, failed(8, 1), answered(404))),
    (Answered(500), failed(2, 2), Retry(30, failed(3), answered(500))),
    # failing: the whole ladder, its last rung again and again
    (Answered(429), NO_TRIES, Retry(1, first(), answered(429))),
    (Answered(408), failed(1), Retry(5, failed(2), answered(408))),
    (Answered(425), failed(1), Retry(5, failed(2), answered(425))),
    (Answered(500), failed(1), Retry(5, failed(2), answered(500))),
    (Answered(503), failed(2), Retry(30, failed(3), answered(503))),
    (Answered(599), failed(50), Retry(30, failed(51), answered(599))),
    (NoAnswer(AWAY), NO_TRIES, Retry(1, first(), AWAY)),
    (NoAnswer(NO_ANSWER), failed(5), Retry(30, failed(6), NO_ANSWER)),
    (NoAnswer(NO_ANSWER), failed(MAX_COUNT), Retry(30, failed(MAX_COUNT), NO_ANSWER)),
    # it waits as long as the LMS asks
    (Answered(503, retry_after=6), NO_TRIES, Retry(30, first(), answered(503))),
    (Answered(429, retry_after=86400), NO_TRIES, Retry(30, first(), answered(429))),
    (Answered(503, retry_after=0), failed(2), Retry(30, failed(3), answered(503))),
    # untried waits count for the rung, not as tries
    (NoAnswer(AWAY), failed(1, waits=2), Retry(30, failed(2, waits=3), AWAY)),
    # until patience ends
    (
        Answered(500),
        failed(9, since=LONG_AGO),
        Park(Reason("status_500", "answered 500; failing for 1.0 h"), failed(10, since=LONG_AGO, waits=9)),
    ),
    (
        NoAnswer(AWAY),
        failed(9, since=1),
        Park(Reason(Slug.NO_CONNECTION, "no connection; failing for 472222.2 h"), failed(10, since=1, waits=9)),
    ),
    # hopeless: at once
    (NotAllowed(FORBIDDEN), NO_TRIES, Park(FORBIDDEN, tell=Tell.NEVER)),
    (NotAllowed(FORBIDDEN), failed(3), Park(FORBIDDEN, tell=Tell.NEVER)),
]


@pytest.mark.parametrize(("outcome", "tries", "verdict"), TABLE)
def test_each_outcome_has_its_verdict(outcome: Outcome, tries: Tries, verdict: Verdict) -> None:
    assert judge(outcome, URL, tries, LADDER, PATIENCE, now=NOW, chance=HIGH) == verdict


def test_by_chance_it_waits_on_the_rung_below() -> None:
    verdict = judge(NoAnswer(AWAY), URL, failed(2), LADDER, PATIENCE, now=NOW, chance=LOW)
    assert isinstance(verdict, Retry)
    assert verdict.delay == 5


@pytest.mark.parametrize("status", [status for status in range(100, 600) if status != 200])
def test_only_200_is_delivered(status: int) -> None:
    assert kind_of(Answered(status)) in {Kind.REFUSED, Kind.FAILED}
    assert isinstance(judge(Answered(status), URL, NO_TRIES, LADDER, PATIENCE, now=NOW, chance=HIGH), Retry)


@pytest.mark.parametrize("status", [404, 302, 403, 413])
def test_a_refusal_parks_only_what_others_succeed_beside(status: int) -> None:
    """For all that anybody knows it is the whole site that refuses, for some minutes."""
    for ruling in (OPEN, ORIGIN):
        verdict = judge(Answered(status), ruling, failed(99, 99), LADDER, PATIENCE, now=NOW, chance=HIGH)
        assert isinstance(verdict, Retry)
    verdict = judge(Answered(status), URL, failed(99, 99), LADDER, PATIENCE, now=NOW, chance=HIGH)
    assert isinstance(verdict, Park)


def test_a_try_of_which_its_lms_is_to_blame_is_no_step_up_the_ladder_and_no_refusal() -> None:
    verdict = judge(Answered(404), ORIGIN, failed(4, 2, waits=1), LADDER, PATIENCE, now=NOW, chance=HIGH)
    assert verdict == Retry(5, failed(5, 2, waits=1), answered(404))


def test_it_is_given_up_all_the_same_once_it_has_failed_for_too_long() -> None:
    verdict = judge(Answered(503), ORIGIN, failed(4, since=LONG_AGO), LADDER, PATIENCE, now=NOW, chance=HIGH)
    assert isinstance(verdict, Park)
    assert verdict.tell is Tell.AFTER_GRACE


@pytest.mark.parametrize(
    ("ruling", "tries", "is_given_up"),
    [
        (OUTDATED, failed(1), True),
        (OUTDATED, failed(2, 2), True),
        (OUTDATED, NO_TRIES, False),
        (Ruling(Blame.ORIGIN, 5, is_outdated=True), failed(1), False),
        (URL, failed(1), False),
    ],
    ids=["again", "before it is parked", "for the first time", "with its LMS", "the newest"],
)
def test_an_older_submissions_result_is_given_up_when_it_fails_again(
    ruling: Ruling, tries: Tries, *, is_given_up: bool
) -> None:
    verdict = judge(Answered(404), ruling, tries, LADDER, PATIENCE, now=NOW, chance=HIGH)
    assert isinstance(verdict, Outdated) is is_given_up


def test_a_callback_that_could_not_be_made_here_is_no_try() -> None:
    ours = Reason(Slug.OURS, "no callback could be made: Too many open files")
    for tries in (NO_TRIES, failed(2, 2)):
        assert judge(NotMade(ours), OPEN, tries, LADDER, PATIENCE, now=NOW, chance=HIGH) == Retry(1, tries, ours)
    assert kind_of(NotMade(ours)) is Kind.UNASKED


def test_a_wait_for_a_sick_lms_is_no_try_and_no_step_and_has_an_end() -> None:
    assert wait_untried(AWAY, NO_TRIES, 30, PATIENCE, now=NOW) == Retry(30, Tries(since=int(NOW)), AWAY)
    assert wait_untried(AWAY, failed(1), 30, PATIENCE, now=NOW) == Retry(30, failed(1), AWAY)
    too_late = wait_untried(AWAY, Tries(since=LONG_AGO), 30, PATIENCE, now=NOW)
    assert too_late == Park(Reason(Slug.NO_CONNECTION, "no connection; failing for 1.0 h"), Tries(since=LONG_AGO))


def test_what_no_http_server_answered_is_unreachable_and_what_is_slow_is_not() -> None:
    for slug in (Slug.NO_CONNECTION, Slug.UNKNOWN_HOST, Slug.CERTIFICATE):
        assert is_unreachable(NoAnswer(Reason(slug, "")))
    for slug in (Slug.TIMEOUT, Slug.CUT_OFF, Slug.BAD_URL):
        assert not is_unreachable(NoAnswer(Reason(slug, "")))
    assert not is_unreachable(Answered(503))


@pytest.mark.parametrize(
    ("status", "slug"),
    [
        (404, "status_404"),
        (429, "status_429"),
        (503, "status_503"),
        (201, "status_2xx"),
        (302, "status_3xx"),
        (418, "status_4xx"),
        (599, "status_5xx"),
        (99, "status_other"),
        (600, "status_other"),
        (999, "status_other"),
    ],
)
def test_a_status_has_a_slug_of_its_own_or_that_of_its_hundred(status: int, slug: str) -> None:
    assert status_slug(status) == slug


def test_whatever_an_lms_answers_there_are_few_slugs() -> None:
    slugs = {status_slug(status) for status in range(1000)}
    assert slugs == set(status_slugs())
    assert len(slugs) == len(NAMED_STATUSES) + 6


# A form that is refused for its size.


@pytest.mark.parametrize("blame", [Blame.OPEN, Blame.URL])
def test_a_form_that_is_too_large_is_parked_at_once_and_its_student_told(blame: Blame) -> None:
    ruling = Ruling(blame, 5, is_too_large=True)
    verdict = judge(Answered(413), ruling, NO_TRIES, LADDER, PATIENCE, now=NOW, chance=HIGH)
    assert verdict == Park(answered(413), failed(1, 1, since=int(NOW), waits=0), tell=Tell.NOW)


def test_a_large_form_that_fares_like_all_others_of_its_site_waits_with_them() -> None:
    ruling = Ruling(Blame.ORIGIN, 5, is_too_large=True)
    verdict = judge(Answered(413), ruling, NO_TRIES, LADDER, PATIENCE, now=NOW, chance=HIGH)
    assert isinstance(verdict, Retry)
    assert verdict.delay == 5


@pytest.mark.parametrize("ruling", [URL, OPEN, ORIGIN, Ruling(Blame.OPEN, 5, may_be_there=True)])
def test_a_500_is_a_result_that_is_there_where_a_try_had_no_answer_and_others_are_taken_alone(ruling: Ruling) -> None:
    def of(status: int, ruling: Ruling) -> Verdict:
        return judge(Answered(status), ruling, failed(1), LADDER, PATIENCE, now=NOW, chance=HIGH)

    assert of(500, MAY_BE_THERE) == Delivered()
    assert isinstance(of(502, MAY_BE_THERE), Retry)
    assert isinstance(of(500, ruling), Retry)


def test_what_an_upstream_never_wants_is_parked_and_its_student_is_told_nothing_that_could_not_reach_him() -> None:
    reason = Reason("status_403", "handed out again")
    verdict = judge(NotWanted(reason), URL, failed(1), LADDER, PATIENCE, now=NOW, chance=HIGH)
    assert verdict == Park(reason, tell=Tell.NEVER)
