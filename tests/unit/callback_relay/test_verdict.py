"""Every verdict, as docs/reference/relay.md has them."""

import pytest

from broker_setup.wire.messages import NO_TRIES, Tries
from callback_relay.ladder import Ladder
from callback_relay.reason import NAMED_STATUSES, Reason, Slug, status_slug, status_slugs
from callback_relay.verdict import (
    MAX_COUNT,
    Answered,
    Delivered,
    Kind,
    NoAnswer,
    NotAllowed,
    Outcome,
    Park,
    Patience,
    Retry,
    Tell,
    Verdict,
    judge,
    kind_of,
    untried,
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
    assert judge(outcome, tries, LADDER, PATIENCE, now=NOW, chance=HIGH) == verdict


def test_by_chance_it_waits_on_the_rung_below() -> None:
    verdict = judge(NoAnswer(AWAY), failed(2), LADDER, PATIENCE, now=NOW, chance=LOW)
    assert isinstance(verdict, Retry)
    assert verdict.delay == 5


@pytest.mark.parametrize("status", [status for status in range(100, 600) if status != 200])
def test_only_200_is_delivered(status: int) -> None:
    assert kind_of(Answered(status)) in {Kind.REFUSED, Kind.FAILED}
    assert isinstance(judge(Answered(status), NO_TRIES, LADDER, PATIENCE, now=NOW, chance=HIGH), Retry)


def test_a_wait_without_a_try_is_no_try_and_goes_up_the_ladder() -> None:
    assert untried(AWAY, failed(1), LADDER, HIGH) == Retry(5, failed(1, waits=2), AWAY)


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
