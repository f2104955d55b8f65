"""Makes the broker's users what they should be: what would change is worked out first, and changed one by one."""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from broker_setup.errors import ArgumentError
from broker_setup.operator.management_api import FoundUser, Management, as_asked
from broker_setup.rights import GRADER_TAG, BrokerUser

ADMINISTRATOR = "administrator"
# 256 bits, 43 characters that need no quoting in a URL.
PASSWORD_BYTES = 32


@dataclass(frozen=True)
class Change:
    """What has to be done to one user; `did` says it in words, and is empty where all is as it should be.

    `password` is one to set, and `shown` says that it was made up here, so that nobody knows it yet. `wanted` is None
    for a user that is to lose its rights.
    """

    name: str
    purpose: str
    did: Sequence[str] = ()
    wanted: BrokerUser | None = None
    found: FoundUser | None = None
    password: str | None = None
    shown: bool = False
    limits: Mapping[str, int] = field(default_factory=dict, hash=False)


def changes(
    users: Sequence[BrokerUser],
    found: Mapping[str, FoundUser],
    rights: Mapping[str, Mapping[str, str]],
    passwords: Mapping[str, str],
    rotate: Collection[str] = (),
    *,
    limits: Mapping[str, Mapping[str, int]],
) -> list[Change]:
    """Work out what has to be done, one change for each of `users` and for each grader that is no longer among them.

    `found`, `rights` and `limits` are the broker's, `passwords` those that are given; a user without one gets one that
    is made up, when it is new or in `rotate`. Raise ArgumentError where nothing should be done at all.
    """
    _refuse(users, found, passwords, rotate)
    names = {user.name for user in users}
    gone = sorted(name for name in rights if name not in names and name in found and GRADER_TAG in found[name].tags)
    return [
        *(
            _change(
                user,
                found.get(user.name),
                rights.get(user.name),
                passwords.get(user.name),
                rotate=user.name in rotate,
                # One that a site has set itself stays.
                limits={name: most for name, most in user.limits.items() if name not in limits.get(user.name, {})},
            )
            for user in users
        ),
        *(Change(name, "a grader that AMQP_GRADERS no longer names", ["rights taken"]) for name in gone),
    ]


def _refuse(
    users: Sequence[BrokerUser],
    found: Mapping[str, FoundUser],
    passwords: Mapping[str, str],
    rotate: Iterable[str],
) -> None:
    names = [user.name for user in users]
    for name in rotate:
        if name not in names:
            raise ArgumentError(f"can't rotate {name!r}: the users are {', '.join(names)}")
        if name in passwords:
            raise ArgumentError(f"can't rotate {name!r}: BROKER_PASSWORDS gives its password, so change it there")
    for name in names:
        if name in found and ADMINISTRATOR in found[name].tags:
            raise ArgumentError(
                f"user {name!r} is an administrator and would lose that: give another name, see rights.md"
            )


def _change(
    user: BrokerUser,
    found: FoundUser | None,
    rights: Mapping[str, str] | None,
    given: str | None,
    *,
    rotate: bool,
    limits: Mapping[str, int],
) -> Change:
    did = []
    password, shown = None, False
    if found is None or rotate:
        did.append("made" if found is None else "new password")
        password, shown = given or secrets.token_urlsafe(PASSWORD_BYTES), given is None
    elif given is not None and not found.has_password(given):
        did.append("password set")
        password = given
    if found is not None and found.tags != user.tags:
        did.append("tags set")
    if rights != as_asked(user.rights):
        did.append("rights set")
    if limits:
        did.append("limits set")
    return Change(user.name, user.purpose, did, user, found, password, shown, limits)


def make(change: Change, broker: Management) -> None:
    """Do it."""
    user = change.wanted
    if user is None:
        broker.take_rights(change.name)
        # Of a consumer that has begun, RabbitMQ asks nothing more.
        broker.close_connections(change.name)
        return
    if {"made", "new password", "password set", "tags set"} & set(change.did):
        secret = change.password or change.found
        assert secret is not None
        broker.put_user(user.name, user.tags, secret)
    if "rights set" in change.did:
        broker.put_rights(user.name, as_asked(user.rights))
    for limit, value in change.limits.items():
        broker.put_limit(user.name, limit, value)
