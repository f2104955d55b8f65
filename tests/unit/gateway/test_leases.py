"""Every verdict on a delivery and on a result, in the order in which graders and the broker may ask for it."""

import pytest

from broker_setup.messages import Submission
from gateway.leasing import leases as module
from gateway.leasing.leases import (
    AMENDMENT_SECONDS,
    SETTLED_SECONDS,
    Lease,
    Leases,
    Refusal,
    Standing,
    Take,
)

UUID = "a" * 32
DELAY = 60.0


def submission(uuid: str = UUID) -> Submission:
    return Submission(uuid=uuid, queue="openedx", body="work", sealed_return="sealed")


def same_id(one: str) -> str:
    """Another uuid whose submission_id is the same."""
    return f"{int(one, 16) ^ (1 << 100):032x}"


def leased(key: str = "key", *, at: float = 0.0, uuid: str = UUID) -> tuple[Leases, Lease]:
    leases = Leases()
    return leases, leases.grant(submission(uuid), key, at + DELAY)


def settled(digest: bytes = b"one", *, at: float = 1.0) -> tuple[Leases, Lease]:
    leases, lease = leased()
    leases.begin_settling(lease)
    leases.settle(lease, digest, at)
    return leases, lease


def judge(leases: Leases, key: str = "key", digest: bytes = b"one", now: float = 1.0) -> Take | Refusal:
    return leases.judge(submission().submission_id, key, digest, now)


def test_a_submission_that_nobody_has_may_be_handed_out() -> None:
    assert Leases().standing(UUID, 0.0) is Standing.FREE


def test_a_leased_submission_is_handed_to_nobody_until_its_lease_runs_out() -> None:
    leases, _ = leased()
    assert leases.standing(UUID, DELAY - 0.001) is Standing.LEASED
    assert leases.standing(UUID, DELAY) is Standing.FREE


def test_a_settled_submission_is_debris_for_ever() -> None:
    leases, _ = settled()
    assert leases.standing(UUID, 1.0) is Standing.SETTLED
    assert leases.standing(UUID, 10 * DELAY) is Standing.SETTLED


def test_the_first_result_of_a_running_lease_is_taken() -> None:
    leases, lease = leased()
    assert judge(leases) == Take(lease, amendment=0)


def test_a_late_result_is_taken_as_long_as_nobody_else_leased_the_submission() -> None:
    leases, lease = leased()
    leases.run_out(DELAY)
    assert judge(leases, now=100 * DELAY) == Take(lease, amendment=0)


def test_a_new_lease_voids_the_key_of_the_old_one_and_takes_its_own() -> None:
    leases, _ = leased("old")
    new = leases.grant(submission(), "new", 3 * DELAY)
    assert judge(leases, "old", now=2 * DELAY) is Refusal.WRONG_KEY
    assert judge(leases, "new", now=2 * DELAY) == Take(new, amendment=0)


def test_a_late_result_under_the_old_key_is_refused_also_after_the_new_lease_ran_out() -> None:
    leases, _ = leased("old")
    leases.grant(submission(), "new", 3 * DELAY)
    assert judge(leases, "old", now=9 * DELAY) is Refusal.WRONG_KEY


@pytest.mark.parametrize("key", ["", "other", "KEY", "key ", "\ud800", "k" * 10_000])
def test_a_wrong_key_of_a_known_submission_is_a_wrong_key(key: str) -> None:
    leases, _ = leased()
    assert judge(leases, key) is Refusal.WRONG_KEY


@pytest.mark.parametrize("submission_id", [0, -1, 2**53, 10**400])
def test_an_id_that_was_never_leased_is_unknown_even_with_a_good_key(submission_id: int) -> None:
    leases, _ = leased()
    assert leases.judge(submission_id, "key", b"one", 1.0) is Refusal.UNKNOWN_SUBMISSION


def test_a_good_key_with_the_id_of_another_leased_submission_is_a_wrong_key() -> None:
    leases, _ = leased()
    other = leases.grant(submission("b" * 32), "other key", DELAY)
    assert leases.judge(other.submission_id, "key", b"one", 1.0) is Refusal.WRONG_KEY


def test_of_two_submissions_with_the_same_id_the_key_decides() -> None:
    leases, first = leased("first key")
    second = leases.grant(submission(same_id(UUID)), "second key", DELAY)
    assert first.submission_id == second.submission_id
    assert judge(leases, "first key") == Take(first, amendment=0)
    assert judge(leases, "second key") == Take(second, amendment=0)
    leases.settle(second, b"one", 1.0)
    assert judge(leases, "first key") == Take(first, amendment=0)
    assert judge(leases, "second key") is Refusal.REPEAT


def test_the_same_result_again_is_a_repeat() -> None:
    leases, _ = settled(b"one")
    assert judge(leases, digest=b"one", now=2.0) is Refusal.REPEAT
    assert judge(leases, digest=b"one", now=AMENDMENT_SECONDS * 2) is Refusal.REPEAT


def test_another_result_under_the_same_key_soon_after_is_an_amendment_and_amendments_are_counted() -> None:
    leases, lease = settled(b"one", at=0.0)
    assert judge(leases, digest=b"two") == Take(lease, amendment=1)
    leases.settle(lease, b"two", 1.0)
    assert judge(leases, digest=b"two") is Refusal.REPEAT
    assert judge(leases, digest=b"one") == Take(lease, amendment=2)


def test_an_amendment_that_comes_too_late_is_refused() -> None:
    leases, lease = settled(b"one", at=0.0)
    assert judge(leases, digest=b"two", now=AMENDMENT_SECONDS) == Take(lease, amendment=1)
    assert judge(leases, digest=b"two", now=AMENDMENT_SECONDS + 0.001) is Refusal.WRONG_KEY


def test_a_lease_does_not_run_out_while_its_result_is_on_its_way() -> None:
    leases, lease = leased()
    leases.begin_settling(lease)
    assert leases.standing(UUID, 10 * DELAY) is Standing.LEASED
    assert leases.run_out(10 * DELAY) == []
    leases.settle(lease, b"one", 10 * DELAY)
    assert leases.run_out(20 * DELAY) == []


def test_a_lease_whose_result_did_not_reach_the_broker_runs_on_and_then_out_once() -> None:
    leases, lease = leased()
    leases.begin_settling(lease)
    leases.settling_failed(lease)
    assert leases.standing(UUID, 1.0) is Standing.LEASED
    assert judge(leases) == Take(lease, amendment=0)
    assert leases.run_out(DELAY) == [lease]
    assert leases.run_out(10 * DELAY) == []


def test_a_lease_that_ran_out_while_settling_failed_runs_out_then() -> None:
    leases, lease = leased()
    leases.begin_settling(lease)
    assert leases.run_out(DELAY) == []
    leases.settling_failed(lease)
    assert leases.standing(UUID, DELAY) is Standing.FREE
    assert leases.run_out(DELAY) == [lease]


def test_a_failed_amendment_changes_nothing() -> None:
    leases, lease = settled(b"one", at=0.0)
    leases.begin_settling(lease)
    leases.settling_failed(lease)
    assert leases.standing(UUID, 1.0) is Standing.SETTLED
    assert judge(leases, digest=b"two") == Take(lease, amendment=1)
    assert leases.run_out(10 * DELAY) == []


def test_leases_run_out_in_the_order_of_their_expiry_and_each_once() -> None:
    leases = Leases()
    late = leases.grant(submission("b" * 32), "late", 3.0)
    early = leases.grant(submission("c" * 32), "early", 1.0)
    never = leases.grant(submission("d" * 32), "never", 99.0)
    assert leases.run_out(0.5) == []
    assert leases.run_out(1.0) == [early]
    assert leases.run_out(5.0) == [late]
    assert leases.run_out(5.0) == []
    assert leases.count(5.0) == 1
    assert leases.standing(never.submission, 5.0) is Standing.LEASED


def test_the_expiry_of_an_old_lease_does_not_end_the_new_one() -> None:
    leases, _ = leased("old")
    leases.run_out(DELAY)
    new = leases.grant(submission(), "new", 3 * DELAY)
    assert leases.run_out(2 * DELAY) == []
    assert leases.run_out(3 * DELAY) == [new]


def test_what_was_settled_long_ago_is_forgotten_with_its_key_and_id() -> None:
    leases, _ = settled(at=0.0)
    other = leases.grant(submission("b" * 32), "other", 2 * SETTLED_SECONDS)
    leases.settle(other, b"x", SETTLED_SECONDS)
    assert judge(leases) is Refusal.REPEAT
    leases.settle(other, b"y", SETTLED_SECONDS + 1)
    assert judge(leases) is Refusal.UNKNOWN_SUBMISSION
    assert leases.standing(UUID, 0.0) is Standing.FREE
    assert leases.standing(other.submission, 0.0) is Standing.SETTLED


def test_no_more_settled_submissions_are_remembered_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED_MAX", 10)
    leases = Leases()
    uuids = [f"{number:032x}" for number in range(1, 31)]
    for uuid in uuids:
        leases.settle(leases.grant(submission(uuid), f"key of {uuid}", DELAY), b"x", 1.0)
    remembered = [uuid for uuid in uuids if leases.standing(uuid, 1.0) is Standing.SETTLED]
    assert remembered == uuids[-10:]
    assert leases.judge(1, f"key of {uuids[0]}", b"x", 1.0) is Refusal.UNKNOWN_SUBMISSION
    assert leases.judge(30, f"key of {uuids[-1]}", b"x", 1.0) is Refusal.REPEAT
