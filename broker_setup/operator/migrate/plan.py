"""What is to be done next with a queue whose arguments differ, decided from what stands at the broker alone.

So a run that was killed, at whatever point, is gone on with by the next one.
"""

import re
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from broker_setup.queue_arguments import Arguments
from broker_setup.topology import MIGRATING

# What would let messages go, or send them on, while they lie in the temporary queue.
_NOT_MEANWHILE = frozenset({"x-message-ttl", "x-max-length", "x-max-length-bytes", "x-expires"})

# RabbitMQ's, such as `inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received none but current is ...`.
_VALUE = r"(?:the value '(.*?)' of type '\w+'|none)"
_DIFFERS = re.compile(rf"inequivalent arg '(.+?)' for queue .*: received {_VALUE} but current is {_VALUE}")


class Standing(Enum):
    """How a queue compares with this version's topology."""

    MISSING = auto()
    DIFFERENT = auto()
    RIGHT = auto()


class Step(StrEnum):
    """What is done next; after each it is looked again."""

    NOTHING = "nothing to do"
    MAKE_TEMPORARY = "makes a temporary queue"
    MOVE_OUT = "moves what waits into the temporary queue"
    EMPTY = "waits for what is held"
    RENEW = "makes the queue anew"
    MOVE_BACK = "moves back"
    CLEAR = "removes the temporary queue"


@dataclass(frozen=True)
class Seen:
    """A queue and its temporary one at the broker; `bound`: new messages come there."""

    standing: Standing
    bound: bool
    temporary: bool = False
    temporary_bound: bool = False


def next_step(seen: Seen) -> Step:
    """Say what comes next.

    Of the two queues one is bound at a time, or none for a moment: what comes in between would be in both.
    """
    match seen.standing, seen.temporary:
        case Standing.MISSING, True:
            return Step.RENEW
        case Standing.DIFFERENT, False:
            return Step.MAKE_TEMPORARY
        case Standing.DIFFERENT, True:
            return Step.EMPTY if seen.temporary_bound else Step.MOVE_OUT
        case Standing.RIGHT, True:
            return Step.CLEAR if seen.bound else Step.MOVE_BACK
    return Step.NOTHING


def in_short(why: str) -> str:
    """Put the broker's word on an argument that differs as a table can show it; all else stays as it is."""
    found = _DIFFERS.search(why)
    if not found:
        return why
    key, here, there = found.groups()
    there, here = ("none" if value is None else repr(value) for value in (there, here))
    return f"{key} is {there}, and {here} in this version"


def temporary_queue(queue: str) -> str:
    """Name the queue where the messages of `queue` are meanwhile: `xqueue.migrating.xqueue.results`."""
    return f"{MIGRATING}.{queue}"


def witness_queue(queue: str) -> str:
    """Name the queue that says which messages were moved out and may still stand in `queue`, too."""
    return f"{MIGRATING}.out.{queue}"


def returning_queue(queue: str) -> str:
    """Name the queue that says the same on the way back."""
    return f"{MIGRATING}.back.{queue}"


def meanwhile(arguments: Arguments) -> dict[str, str | int]:
    """Give the temporary queue's arguments: those of the queue to be, without what would let messages go."""
    return {key: value for key, value in arguments.items() if key not in _NOT_MEANWHILE}
