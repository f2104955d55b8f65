"""What `setup` would do to the broker's users, worked out from what is there."""

import base64
import hashlib

import pytest

from broker_setup.errors import ArgumentError
from broker_setup.operator.management_api import FoundUser, as_asked
from broker_setup.operator.setup.making_users import Change, changes
from broker_setup.rights import GRADER_LIMITS, GRADER_TAG, BrokerUser, broker_users

GRADER, OTHER = broker_users({}, {"g": ["a"], "h": ["b"]})
RIGHTS = {user.name: as_asked(user.rights) for user in (GRADER, OTHER)}
LIMITS = {user.name: user.limits for user in (GRADER, OTHER)}


def found(user: BrokerUser = GRADER, password: str = "old", tags: frozenset[str] | None = None) -> FoundUser:
    stored = base64.b64encode(b"salt" + hashlib.sha256(b"salt" + password.encode()).digest()).decode()
    return FoundUser(user.name, user.tags if tags is None else tags, stored, "rabbit_password_hashing_sha256")


def one(*there: FoundUser, given: str | None = None, rotate: bool = False) -> Change:
    [change] = changes(
        [GRADER],
        {user.name: user for user in there},
        {user.name: RIGHTS[user.name] for user in there},
        {"g": given} if given else {},
        ["g"] if rotate else [],
        limits={user.name: LIMITS[user.name] for user in there},
    )
    return change


def test_who_is_missing_is_made_with_a_password_that_nobody_could_guess() -> None:
    first, second = one(), one()
    assert first.did == ["made", "rights set", "limits set"]
    assert first.shown
    assert first.password
    assert len(first.password) >= 43
    assert first.password != second.password


def test_a_password_that_is_given_is_used_and_not_shown() -> None:
    change = one(given="given")
    assert (change.password, change.shown) == ("given", False)


def test_what_is_right_stays() -> None:
    assert one(found()).did == []
    assert one(found(password="given"), given="given").did == []


def test_a_given_password_that_is_another_than_the_brokers_is_set() -> None:
    change = one(found(), given="given")
    assert (change.did, change.password, change.shown) == (["password set"], "given", False)


def test_a_password_that_is_hashed_in_an_unknown_way_counts_as_another() -> None:
    assert not FoundUser("g", frozenset(), "", "").has_password("given")
    assert one(FoundUser("g", GRADER.tags, "x", "of_tomorrow"), given="given").did == ["password set"]


def test_sha512_is_known_too() -> None:
    stored = base64.b64encode(b"salt" + hashlib.sha512(b"saltp").digest()).decode()
    user = FoundUser("g", frozenset(), stored, "rabbit_password_hashing_sha512")
    assert user.has_password("p")
    assert not user.has_password("q")


def test_a_new_password_is_made_only_for_who_is_named() -> None:
    users = {"g": found(), "h": found(OTHER)}
    first, second = changes([GRADER, OTHER], users, RIGHTS, {}, ["g"], limits=LIMITS)
    assert (first.did, first.shown) == (["new password"], True)
    assert (second.did, second.password) == ([], None)


@pytest.mark.parametrize("tags", [{"impersonator"}, {GRADER_TAG, "management"}, set()])
def test_other_tags_are_set_right_and_the_password_stays(tags: set[str]) -> None:
    change = one(found(tags=frozenset(tags)))
    assert (change.did, change.password) == (["tags set"], None)


def test_other_rights_are_set_right() -> None:
    [change] = changes(
        [GRADER], {"g": found()}, {"g": {"configure": ".*", "write": ".*", "read": ".*"}}, {}, limits=LIMITS
    )
    assert change.did == ["rights set"]


def test_a_limit_that_is_missing_is_set_and_one_that_a_site_has_set_itself_stays() -> None:
    theirs = {"g": {"max-connections": 3}}
    [change] = changes([GRADER], {"g": found()}, {"g": RIGHTS["g"]}, {}, limits=theirs)
    assert (change.did, change.limits) == (["limits set"], {"max-channels": GRADER_LIMITS["max-channels"]})


def test_a_grader_that_is_no_longer_in_the_settings_loses_its_rights_and_nobody_else_does() -> None:
    there = {"g": found(), "h": found(OTHER), "stranger": FoundUser("stranger", frozenset(), "", "")}
    rights = RIGHTS | {"stranger": {"configure": "", "write": "", "read": ""}}
    gone = [change for change in changes([GRADER], there, rights, {}, limits=LIMITS) if change.did]
    assert [(change.name, change.did) for change in gone] == [("h", ["rights taken"])]


def test_one_that_has_lost_its_rights_already_is_not_named_again() -> None:
    there = {"g": found(), "h": found(OTHER)}
    assert [change.name for change in changes([GRADER], there, {"g": RIGHTS["g"]}, {}, limits=LIMITS)] == ["g"]


def test_an_administrator_is_never_touched() -> None:
    with pytest.raises(ArgumentError, match="'g' is an administrator"):
        one(found(tags=frozenset({"administrator"})))


def test_only_one_of_ours_can_get_a_new_password_and_not_where_it_is_given() -> None:
    with pytest.raises(ArgumentError, match="can't rotate 'x': the users are g"):
        changes([GRADER], {}, {}, {}, ["x"], limits={})
    with pytest.raises(ArgumentError, match="BROKER_PASSWORDS gives its password"):
        one(given="given", rotate=True)
