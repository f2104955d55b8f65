"""Whether a submission may be leased: each outcome from its inputs, as a table."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from msgspec import structs

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.ledger.answers import Lease, Refused, Standing
from broker_setup.ledger.events import Leased, hash_key, hash_url
from broker_setup.wire.submissions import Submission
from gateway.leasing.lease_decision import Grant, LookAgain, Park, PutOff, Terms, attempt_of, decide
from tests.support.ledger_events import URL, uuid_of

NOW = 1_000.0
TERMS = Terms(processing_delay=60.0, max_attempts=3)
UUID = uuid_of(1)
SUBMISSION = Submission(uuid=UUID.hex(), queue="openedx", body="x = 1", sealed_return="sealed")


def at_attempt(number: int) -> Submission:
    """The submission as a message that counts its attempts says that it is."""
    return structs.replace(SUBMISSION, attempt=number)


def lease(
    attempt: int = 1, *, key: str = "before", expires_at: float = NOW - 10, refused: Refused | None = None
) -> Lease:
    """The newest lease of the submission before; without a key it was released."""
    return Lease(
        submission=UUID,
        queue="openedx",
        url=hash_url(URL),
        key=hash_key(key) if key else b"",
        granted_at=expires_at - 60,
        expires_at=expires_at,
        sealed="sealed",
        attempt=attempt,
        began=0.0,
        ends_at=60.0,
        refused=refused,
    )


def refused_in(leases: int) -> Refused:
    return Refused(digest=b"d", why="no JSON", key=hash_key("before"), leases=leases)


def opens(submission: Submission) -> str:
    return URL


def is_forged(submission: Submission) -> str:
    raise BadReturnAddressError("the return address is forged")


def has_another_secret(submission: Submission) -> str:
    raise UnknownSecretError("sealed with another SECRET_KEY")


@dataclass(frozen=True)
class Case:
    """What a decision is made from; by itself a submission that may be leased, and never was."""

    submission: Submission = SUBMISSION
    standing: Standing = Standing.FREE
    last: Lease | None = None
    callback_url: Callable[[Submission], str] = opens

    def decide(self) -> Grant | Park | PutOff | LookAgain:
        return decide(
            self.submission,
            self.standing,
            self.last,
            terms=TERMS,
            now=NOW,
            grader="a grader",
            key="new",
            callback_url=self.callback_url,
        )


def granted(attempt: int = 1, *, at: float = NOW, after: bytes = b"") -> Grant:
    return Grant(
        Leased(
            at=at,
            submission=UUID,
            queue="openedx",
            url=hash_url(URL),
            key=hash_key("new"),
            expires_at=at + TERMS.processing_delay,
            sealed="sealed",
            attempt=attempt,
            after=after,
            grader="a grader",
        )
    )


BEFORE = hash_key("before")


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        pytest.param(Case(), granted(), id="a submission that was never leased"),
        pytest.param(Case(last=lease(1)), granted(2, after=BEFORE), id="one whose lease ran out, as the next attempt"),
        pytest.param(Case(last=lease(2)), granted(3, after=BEFORE), id="one whose last allowed attempt it is"),
        pytest.param(Case(at_attempt(3)), granted(3), id="one whose message says so of an AMQP grader's attempts"),
        pytest.param(
            Case(at_attempt(3), last=lease(1)), granted(3, after=BEFORE), id="one of which the message counts more"
        ),
        pytest.param(
            Case(at_attempt(1), last=lease(2)), granted(3, after=BEFORE), id="one of which the ledger counts more"
        ),
        pytest.param(Case(last=lease(1, key="")), granted(2), id="one that was released, after no key"),
        pytest.param(
            Case(last=lease(1, expires_at=NOW + 5)),
            granted(2, at=NOW + 5, after=BEFORE),
            id="one whose lease ran out by a clock ahead of ours, no earlier than that",
        ),
        pytest.param(
            Case(last=lease(1, refused=refused_in(1))),
            granted(2, after=BEFORE),
            id="one of which a reply was refused while attempts are left",
        ),
    ],
)
def test_what_is_free_and_has_attempts_left_is_granted(case: Case, outcome: Grant) -> None:
    assert case.decide() == outcome


@pytest.mark.parametrize(
    ("case", "outcome"),
    [
        pytest.param(
            Case(last=lease(3)), Park(at_attempt(3), "failed 3 times"), id="one that was leased as often as it may be"
        ),
        pytest.param(
            Case(at_attempt(4)), Park(at_attempt(3), "failed 3 times"), id="one that AMQP graders failed so often"
        ),
        pytest.param(
            Case(last=lease(9)), Park(at_attempt(9), "failed 9 times"), id="one that was tried on other terms before"
        ),
        pytest.param(
            Case(last=lease(3, refused=refused_in(1))),
            Park(at_attempt(3), "failed 3 times; a grader's reply was refused: no JSON"),
            id="one of which a reply was refused",
        ),
        pytest.param(
            Case(last=lease(3, refused=refused_in(2))),
            Park(at_attempt(3), "failed 3 times; a grader's reply was refused in 2 leases: no JSON"),
            id="one of which the same reply was refused again",
        ),
        pytest.param(
            Case(last=lease(3), callback_url=has_another_secret),
            Park(at_attempt(3), "failed 3 times"),
            id="one without attempts left, before its return address is opened",
        ),
        pytest.param(
            Case(at_attempt(2), callback_url=is_forged),
            Park(at_attempt(2), "the return address is forged"),
            id="one whose return address is bad, with its attempts as they are",
        ),
    ],
)
def test_what_no_grader_shall_see_any_more_is_parked_and_says_why(case: Case, outcome: Park) -> None:
    assert case.decide() == outcome


@pytest.mark.parametrize("last", [None, lease(1)], ids=["never leased", "leased before"])
def test_what_is_sealed_with_a_secret_that_is_not_known_here_is_put_off(last: Lease | None) -> None:
    case = Case(last=last, callback_url=has_another_secret)
    assert case.decide() == PutOff("sealed with another SECRET_KEY")


@pytest.mark.parametrize("standing", [standing for standing in Standing if standing is not Standing.FREE])
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(Case(), id="with nothing against it"),
        pytest.param(Case(last=lease(3)), id="with no attempt left"),
        pytest.param(Case(callback_url=is_forged), id="with a bad return address"),
        pytest.param(Case(callback_url=has_another_secret), id="with an unknown secret"),
    ],
)
def test_what_is_not_free_any_more_is_looked_at_again_whatever_else_is_known(case: Case, standing: Standing) -> None:
    assert replace(case, standing=standing).decide() == LookAgain()


@pytest.mark.parametrize(
    ("in_message", "in_ledger", "attempt"),
    [(1, None, 1), (2, None, 2), (1, 1, 2), (2, 1, 2), (3, 1, 3), (1, 3, 4)],
)
def test_an_attempt_has_the_larger_of_the_numbers_that_message_and_ledger_give_it(
    in_message: int, in_ledger: int | None, attempt: int
) -> None:
    before = None if in_ledger is None else lease(in_ledger)
    assert attempt_of(at_attempt(in_message), before) == attempt
