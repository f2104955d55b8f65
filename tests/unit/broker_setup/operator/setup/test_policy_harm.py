"""Which policies of a site `check` names, from what the management API tells of queues."""

from typing import Any

import pytest

from broker_setup.operator.setup.policy_harm import harm_of_policies
from broker_setup.operator.setup.policy_plan import FAILED_TO_PARKED
from broker_setup.topology import SUBMISSIONS_FAILED

Queue = dict[str, Any]
COURSE: Queue = {
    "name": "xqueue.submissions.math",
    "policy": "all",
    "arguments": {"x-delivery-limit": 1_000_000},
}


def said(policy: dict[str, Any], queue: Queue = COURSE) -> list[str]:
    return harm_of_policies([queue | {"effective_policy_definition": policy}])


@pytest.mark.parametrize(
    ("key", "limit", "does"),
    [
        ("message-ttl", 3_600_000, "message-ttl = 3600000: it takes out what has waited for 3,600 s: have it"),
        ("expires", 1000, "deletes the queue when nobody has consumed from it for 1 s"),
        ("max-length", 5000, "keeps 5,000 messages and no more"),
        ("max-length-bytes", 10, "keeps 10 bytes and no more"),
        ("delivery-limit", 20, "takes out what has come back 20 times"),
    ],
)
def test_a_limit_is_named_with_its_policy_its_queue_and_what_it_does(key: str, limit: int, does: str) -> None:
    [line] = said({key: limit})
    assert line.startswith(f"policy all on queue 'xqueue.submissions.math' has {key} = ")
    assert does in line
    assert line.endswith("have it leave out queues named `xqueue.`")


def test_what_takes_nothing_is_not_named() -> None:
    # A queue's own argument goes before these.
    assert said({"overflow": "drop-head", "dead-letter-exchange": "elsewhere", "ha-mode": "all"}) == []
    assert said({"delivery-limit": 1_000_000}) == said({"delivery-limit": 2_000_000}) == []
    assert said({"message-ttl": 1}, COURSE | {"name": "somebody.else"}) == []
    assert said(dict(FAILED_TO_PARKED.definition), COURSE | {"name": SUBMISSIONS_FAILED}) == []
    assert harm_of_policies([COURSE, COURSE | {"effective_policy_definition": []}]) == []


def test_of_a_limit_that_the_queue_has_itself_only_a_lesser_one_is_named() -> None:
    rung: Queue = {"name": "xqueue.results.rung.2m", "arguments": {"x-message-ttl": 120_000}}
    assert said({"message-ttl": 120_000}, rung) == []
    assert len(said({"message-ttl": 119_999}, rung)) == 1


def test_an_operator_policy_is_named_too_and_of_two_both() -> None:
    [line] = said({"max-length": 1}, COURSE | {"operator_policy": "bounds"})
    assert line.startswith("policy all or bounds on queue ")
    [line] = said({"max-length": 1}, COURSE | {"policy": None})
    assert line.startswith("a policy on queue ")


def test_a_ledger_that_forgets_sooner_is_named() -> None:
    ledger: Queue = {"name": "xqueue.ledger", "policy": "all", "arguments": {"x-max-age": "604800s"}}
    [line] = said({"max-age": "1h", "message-ttl": 5}, ledger)
    assert line.startswith("policy all on queue 'xqueue.ledger' has max-age = 1h, not 604800s: leases and history")
    assert said({"max-age": "604800s"}, ledger) == []
