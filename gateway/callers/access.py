"""Who may make which call for which queue: one pure decision, whichever way callers have proved who they are."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from broker_setup.settings.access_settings import QueueAccess


class Role(Enum):
    """What a call does with a queue."""

    PRODUCER = "producer"  # hands work in
    CONSUMER = "consumer"  # takes work and hands in results


ALL_ROLES = frozenset(Role)

# By which role each call can be made; for get_queuelen either will do.
CALLS: Mapping[str, frozenset[Role]] = {
    "submit": frozenset({Role.PRODUCER}),
    "get_queuelen": ALL_ROLES,
    **dict.fromkeys(
        (
            "get_submission",
            "put_result",
            "get_submissions",
            "put_results",
            "extend_lease",
            "release_submission",
        ),
        frozenset({Role.CONSUMER}),
    ),
}


@dataclass(frozen=True)
class Caller:
    """Somebody who has proved who they are; an account has both roles, a token those of its scopes."""

    name: str
    roles: frozenset[Role] = ALL_ROLES


class Access:
    """Says what a caller may do, by the lists of QUEUE_ACCESS."""

    def __init__(self, lists: Mapping[str, QueueAccess]) -> None:
        # Of each queue that has a list; None: everybody.
        self._lists = {
            queue: {Role.PRODUCER: _names(its.producers), Role.CONSUMER: _names(its.consumers)}
            for queue, its in lists.items()
        }

    def may(self, caller: Caller, call: str, queue: str) -> bool:
        """Whether `caller` may make `call` for `queue`; if not, the queue must seem not to be there."""
        roles = CALLS[call] & caller.roles
        its = self._lists.get(queue)
        if its is None:
            return bool(roles)
        return any(names is None or caller.name in names for names in map(its.__getitem__, roles))

    def is_producer(self, name: str, queue: str) -> bool:
        """Whether the queue's list of producers has this name; False where there is no list, so that everybody may."""
        its = self._lists.get(queue)
        return its is not None and name in (its[Role.PRODUCER] or ())


def _names(listed: Collection[str] | None) -> frozenset[str] | None:
    return None if listed is None else frozenset(listed)


def names_without_account(lists: Mapping[str, QueueAccess], accounts: Collection[str]) -> dict[str, list[str]]:
    """Return, by queue, the listed names that are no account's: those of tokens and of AMQP graders, and mistakes."""
    strangers = {
        queue: [name for name in [*(of_queue.producers or ()), *(of_queue.consumers or ())] if name not in accounts]
        for queue, of_queue in lists.items()
    }
    return {queue: list(dict.fromkeys(names)) for queue, names in strangers.items() if names}
