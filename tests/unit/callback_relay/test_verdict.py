import pytest

from callback_relay.verdict import (
    MAX_ATTEMPT,
    AlreadyDelivered,
    Answered,
    Delivered,
    NoAnswer,
    NoCallback,
    NotAllowed,
    Outcome,
    Park,
    Repeat,
    Retry,
    UnderWay,
    Verdict,
    judge,
)

LADDER = (1.0, 5.0, 30.0)
REFUSED = "answered 302, and redirects are not followed"

TABLE = [
    (Answered(200), 0, Delivered()),
    (Answered(200), 9, Delivered()),
    (Answered(201), 0, Retry(1, 1, "answered 201")),
    (Answered(302), 0, Retry(1, 1, REFUSED)),
    (Answered(400), 0, Retry(1, 1, "answered 400")),
    (Answered(404), 1, Retry(5, 2, "answered 404")),
    (Answered(429), 0, Retry(1, 1, "answered 429")),
    (Answered(500), 0, Retry(1, 1, "answered 500")),
    (Answered(500), 1, Retry(5, 2, "answered 500")),
    (Answered(500), 2, Retry(30, 3, "answered 500")),
    (Answered(500), 3, Retry(30, 4, "answered 500")),
    (Answered(500), MAX_ATTEMPT, Retry(30, MAX_ATTEMPT, "answered 500")),
    (NoAnswer("no connection"), 0, Retry(1, 1, "no connection")),
    (NoAnswer("no answer"), 5, Retry(30, 6, "no answer")),
    (NoCallback("forged"), 0, Park("forged")),
    (NoCallback("forged"), 7, Park("forged")),
    (NotAllowed("elsewhere"), 0, Park("elsewhere")),
    (NotAllowed("elsewhere"), 7, Park("elsewhere")),
    (AlreadyDelivered(), 0, Repeat()),
    (UnderWay(), 2, Retry(1, 2, "another result of this submission is under way")),
]


@pytest.mark.parametrize(("outcome", "attempt", "verdict"), TABLE)
def test_each_outcome_has_its_verdict(outcome: Outcome, attempt: int, verdict: Verdict) -> None:
    assert judge(outcome, attempt, LADDER) == verdict


def test_one_rung_is_enough() -> None:
    assert judge(NoAnswer("away"), 3, (7.0,)) == Retry(7, 4, "away")


@pytest.mark.parametrize("status", [status for status in range(100, 600) if status != 200])
def test_only_200_is_delivered(status: int) -> None:
    assert isinstance(judge(Answered(status), 0, LADDER), Retry)
