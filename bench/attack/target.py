"""What is attacked: a stack on this machine, with the accounts of the attackers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

Account = tuple[str, str]


@dataclass(frozen=True)
class Victim:
    """Whose work is attacked: this account may submit to `queue` and grade it, and no attacker may do either."""

    account: Account
    queue: str


@dataclass(frozen=True)
class Target:
    """Where a stack is, and who attacks it.

    P may submit to `hostile_queue`, and to `amqp_queue`, whose grader A has the broker's user of `grader_url`; G may
    take from `hostile_queue`. A passive grader of ours is asked for `passive_queue`, where there is one. `broker_url`
    is an administrator's: what is parked is counted with it. `processes` are the services' pids by name; their logs
    and files are in `folder`.
    """

    url: str
    broker_url: str
    grader_url: str
    producer: Account
    grader: Account
    hostile_queue: str
    amqp_queue: str
    processes: Mapping[str, int]
    passive_queue: str | None = None
    metrics_url: str | None = None
    management_url: str | None = None
    victim: Victim | None = None
    folder: Path | None = None
