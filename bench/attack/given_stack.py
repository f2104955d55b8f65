"""A stack that runs already, as its person names it on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil
import typer

from bench.attack.bystander import Work
from bench.attack.target import Account, Target, Victim

# Good work, hostile work that is pulled, hostile work for AMQP, a victim's.
QUEUES = ("good", "hostile", "amqp", "exam")


@dataclass(frozen=True)
class Given:
    """The options."""

    gateway: str
    account: str
    victim: str
    broker: str
    metrics: str
    management: str
    queues: str
    processes: Sequence[str]


def given(options: Given) -> tuple[Target, Work]:
    """Make of them what is attacked, and the good work beside; what is wrong or missing is said as typer says it."""
    names = tuple(options.queues.split(","))
    if len(names) != len(QUEUES):
        raise typer.BadParameter(f"--queues names four, as in {','.join(QUEUES)}")
    attacker = _account("--account", options.account)
    good = _account("--victim", options.victim) if options.victim else attacker
    if urlsplit(options.broker).scheme not in ("amqp", "amqps"):
        raise typer.BadParameter("--broker is the amqp:// URI of the stack's broker")
    target = Target(
        url=options.gateway.rstrip("/"),
        broker_url=options.broker,
        grader_url=options.broker,
        producer=attacker,
        grader=attacker,
        hostile_queue=names[1],
        amqp_queue=names[2],
        processes=dict(map(_process, options.processes)),
        metrics_url=options.metrics.rstrip("/").removesuffix("/metrics") or None,
        management_url=options.management or None,
        victim=Victim(good, names[3]) if options.victim else None,
    )
    return target, Work(target.url, "", good, good, names[0])


def _account(option: str, text: str) -> Account:
    name, found, password = text.partition(":")
    if not found:
        raise typer.BadParameter(f"{option} is name:password")
    return name, password


def _process(text: str) -> tuple[str, int]:
    name, _, pid = text.partition("=")
    if not pid.isdecimal() or not psutil.pid_exists(int(pid)):
        raise typer.BadParameter(f"--process is NAME=PID, and {text!r} names no process that runs")
    return name, int(pid)
