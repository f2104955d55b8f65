"""The policy for what comes back too often: put where it is missing, and in no site's way."""

from collections.abc import Mapping
from typing import Any

import pytest

from broker_setup.operator.setup.policy_plan import FAILED_TO_PARKED, standing_of


def policy(name: str, pattern: str, **others: Any) -> dict[str, Mapping[str, Any]]:
    entry = {"vhost": "/", "name": name, "pattern": pattern, "definition": {"max-length": 5}, "apply-to": "all"}
    return {name: entry | others}


OURS = {FAILED_TO_PARKED.name: {"vhost": "/", "name": FAILED_TO_PARKED.name} | FAILED_TO_PARKED.body}


def test_it_is_missing_where_there_is_none_or_another_of_its_name() -> None:
    for found in (
        {},
        policy(FAILED_TO_PARKED.name, "^other$"),
        policy("else", "^other$"),
        policy("ex", ".*", **{"apply-to": "exchanges"}),
    ):
        now = standing_of(found)
        assert (now.as_it_should_be, now.others) == (False, ())
        assert "run `xqueue-broker setup`" in now.in_words


def test_it_is_as_it_should_be_where_it_was_put() -> None:
    assert standing_of(OURS).as_it_should_be
    assert standing_of(OURS).in_words == ""


@pytest.mark.parametrize("pattern", ["", "^xqueue", "(?<broken"])
def test_one_of_the_sites_own_is_left_alone_and_named(pattern: str) -> None:
    now = standing_of(OURS | policy("everywhere", pattern))
    assert (now.as_it_should_be, now.others) == (False, ("everywhere",))
    assert "policy everywhere is on queue 'xqueue.submissions.failed'" in now.in_words
    assert "add to it" in now.in_words


def test_one_of_the_sites_own_that_says_the_same_is_as_good() -> None:
    now = standing_of(policy("everywhere", "", definition={**FAILED_TO_PARKED.definition, "max-length": 5}))
    assert (now.as_it_should_be, now.others) == (True, ())
