"""What each of XQueue's broker users may do, as plain data: what it writes, reads and, in one case, configures.

RabbitMQ asks for *write* on the exchange of a publish, for *read* on the queue of a consume, get or purge, for both to
bind, for *configure* to declare and delete. A right is to a name, be it a queue's or an exchange's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from broker_setup.topology import (
    ANSWERS_EXCHANGE,
    ARCHIVED_RESULTS,
    ARCHIVED_SUBMISSIONS,
    CHECKED_EXCHANGE,
    CHECKED_QUEUE,
    FORMER_RUNGS,
    LEDGER,
    LEDGER_EXCHANGE,
    NOTICES,
    PARKED_EXCHANGE,
    PAUSED_EXCHANGE,
    REGRADE_LOCK,
    REGRADED_EXCHANGE,
    REGRADED_QUEUE,
    RELAY_LOCK,
    RESERVED_QUEUE_NAMES,
    RESULTS_EXCHANGE,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    RETRY_EXCHANGE,
    RUNGS,
    SUBMISSIONS_EXCHANGE,
    SUBMISSIONS_FAILED,
    SUBMISSIONS_PARKED,
    paused_queue,
    submissions_queue,
)

# Of all processes together that log in as one grader: with the library each has two connections, and a few channels in
# them. How much a user publishes, RabbitMQ can not limit.
GRADER_LIMITS: Mapping[str, int] = {"max-connections": 200, "max-channels": 1000}

# On users that are made for graders, so that a grader that is in the settings no longer can be told from a stranger.
GRADER_TAG = "xqueue-grader"


class Role(StrEnum):
    """The users that are not graders: each is named after the command that logs in as it, or who does."""

    GATEWAY = "gateway"
    RELAY = "relay"
    PASSIVE = "passive"
    BROKER = "broker"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Below:
    """Every name that begins with `prefix` and a dot, but what of it is among the `taken`."""

    prefix: str
    taken: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """For people: `xqueue.results.retry.*`."""
        return f"{self.prefix}.*"


Names = Sequence[str | Below]


@dataclass(frozen=True)
class Rights:
    """What somebody may write, read and configure; the names and patterns are those of queues and exchanges alike."""

    write: Names = ()
    read: Names = ()
    configure: Names = ()


@dataclass(frozen=True)
class BrokerUser:
    """A user as it should be at the broker; `tags` and `limits` are RabbitMQ's."""

    name: str
    purpose: str
    rights: Rights
    tags: frozenset[str] = frozenset()
    limits: Mapping[str, int] = field(default_factory=dict, hash=False)


# A pattern rather than a list: a new queue or rung then needs `declare` and no new rights.
COURSE_QUEUES = Below(SUBMISSIONS_EXCHANGE, taken=RESERVED_QUEUE_NAMES)
ALL_RUNGS = Below(RUNGS)
ALL_NOTICES = Below(NOTICES)
ALL_PAUSES = Below(PAUSED_EXCHANGE)
# For processes of 0.1.0, which are rolled after this is set up; likewise what else writes to the results' exchange.
ALL_FORMER_RUNGS = Below(FORMER_RUNGS)

# What is only looked at (a passive declare) stands under `write`: RabbitMQ asks for no right there up to 4.2.5, for any
# right since; and a right to write to a queue, unlike one to read it, gives nobody its messages.
_SERVICES: Mapping[Role, tuple[str, Rights]] = {
    Role.GATEWAY: (
        "takes submissions in, holds them for graders, publishes their results",
        Rights(
            write=(
                SUBMISSIONS_EXCHANGE,
                CHECKED_EXCHANGE,
                CHECKED_QUEUE,
                PARKED_EXCHANGE,
                LEDGER_EXCHANGE,
                ALL_NOTICES,
                ALL_PAUSES,
                RESULTS_EXCHANGE,
            ),
            read=(COURSE_QUEUES, SUBMISSIONS_FAILED, LEDGER),
        ),
    ),
    Role.RELAY: (
        "takes results out and delivers them to the LMS",
        Rights(
            write=(
                CHECKED_EXCHANGE,
                RETRY_EXCHANGE,
                PARKED_EXCHANGE,
                LEDGER_EXCHANGE,
                ALL_RUNGS,
                ALL_NOTICES,
                RESULTS_PARKED,
                RESULTS_EXCHANGE,
                REGRADED_EXCHANGE,
                ALL_FORMER_RUNGS,
            ),
            read=(RESULTS_QUEUE, CHECKED_QUEUE),
            configure=(RELAY_LOCK,),
        ),
    ),
    Role.PASSIVE: (
        "takes submissions out, calls passive graders, publishes their results",
        Rights(
            write=(CHECKED_EXCHANGE, PARKED_EXCHANGE, LEDGER_EXCHANGE, ANSWERS_EXCHANGE, ALL_PAUSES, RESULTS_EXCHANGE),
            read=(COURSE_QUEUES,),
        ),
    ),
    Role.BROKER: (
        "the commands of xqueue-broker that look at work and move it",
        Rights(
            write=(
                SUBMISSIONS_EXCHANGE,
                CHECKED_EXCHANGE,
                CHECKED_QUEUE,
                LEDGER_EXCHANGE,
                PAUSED_EXCHANGE,
                ALL_RUNGS,
                RESULTS_EXCHANGE,
                ALL_FORMER_RUNGS,
            ),
            read=(
                COURSE_QUEUES,
                SUBMISSIONS_PARKED,
                RESULTS_PARKED,
                ALL_RUNGS,
                ALL_FORMER_RUNGS,
                ALL_NOTICES,
                ALL_PAUSES,
                LEDGER,
                ARCHIVED_SUBMISSIONS,
                ARCHIVED_RESULTS,
                REGRADED_QUEUE,
            ),
            configure=(REGRADE_LOCK,),
        ),
    ),
    Role.OPERATOR: ("people at the management UI: see queues and rates, get no message", Rights()),
}


def service_names(renamed: Mapping[Role, str]) -> dict[Role, str]:
    """Name the users that are not graders: `xqueue-gateway` and so on, but for those that are `renamed`."""
    return {role: renamed.get(role, f"xqueue-{role}") for role in Role}


def broker_users(services: Mapping[Role, str], graders: Mapping[str, Iterable[str]]) -> list[BrokerUser]:
    """List the users that XQueue needs: its services', named in `services`, and graders with their course queues."""
    return [
        *(
            BrokerUser(name, *_SERVICES[role], tags=frozenset({"monitoring"} if role is Role.OPERATOR else ()))
            for role, name in services.items()
        ),
        *(_grader(name, sorted(set(queues))) for name, queues in sorted(graders.items())),
    ]


def _grader(name: str, queues: Sequence[str]) -> BrokerUser:
    return BrokerUser(
        name,
        f"an AMQP grader of {', '.join(queues)}",
        Rights(write=(RESULTS_EXCHANGE, *map(paused_queue, queues)), read=tuple(map(submissions_queue, queues))),
        frozenset({GRADER_TAG}),
        GRADER_LIMITS,
    )


def regex(names: Names) -> str:
    """Make RabbitMQ's regular expression for exactly these names: it searches, so both ends are anchored."""
    return f"^(?:{'|'.join(map(_pattern, names))})$" if names else "^$"


def _pattern(name: str | Below) -> str:
    if isinstance(name, str):
        return re.escape(name)
    but = "".join(f"(?!{re.escape(taken)}$)" for taken in sorted(name.taken))
    return f"{re.escape(name.prefix)}\\.{but}.+"
