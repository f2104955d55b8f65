"""The command `make attack`: makes every attack, prints what each did, and ends with 1 where one broke a bound."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from bench.attack.arena import AttackError
from bench.attack.attacks import ATTACKS, Attack
from bench.attack.battle import Battle, Outcome
from bench.attack.bystander import Work
from bench.attack.campaign import SHORT, Scale, on_given_stack, on_own_stack
from bench.attack.own_stack import StackError
from bench.attack.report import as_table, console
from bench.attack.target import Account, Target
from bench.program import run
from deploy.local.errors import LocalError
from tests.support.broker import running_broker, temporary_vhost

_stderr = console(stderr=True)
# Good work, hostile work that is pulled, hostile work for AMQP.
QUEUES = 3


async def fight(opened: AbstractAsyncContextManager[Battle], attacks: list[Attack]) -> list[Outcome]:
    """Make attacks, and say of each on stderr how it goes."""
    outcomes: list[Outcome] = []

    def say_next() -> None:
        if len(outcomes) < len(attacks):
            _stderr.print(f"{len(outcomes) + 1} of {len(attacks)}: {attacks[len(outcomes)].name} ...", markup=False)

    async with opened as battle:
        say_next()
        async for outcome in battle.fight(attacks):
            _stderr.print(f"    {'; '.join(outcome.wrong) or 'kept'} ({outcome.seconds:.0f} s)", markup=False)
            outcomes.append(outcome)
            say_next()
    return outcomes


@contextlib.contextmanager
def own(scale: Scale) -> Iterator[AbstractAsyncContextManager[Battle]]:
    """Prepare a battle on a stack of its own, on the broker that BROKER names."""
    with (
        tempfile.TemporaryDirectory(prefix="xqueue-attack-") as folder,
        running_broker() as broker,
        temporary_vhost(broker) as vhost,
    ):
        yield on_own_stack(vhost, Path(folder), scale)


def given(
    scale: Scale, *, gateway: str, account: str, broker: str, queues: str, processes: list[str]
) -> AbstractAsyncContextManager[Battle]:
    """Prepare a battle on a stack that runs: one account does everything, good and bad, in queues of its own."""
    names = queues.split(",")
    if len(names) != QUEUES:
        raise typer.BadParameter("--queues names three: one for good work, a hostile one, and a hostile one for AMQP")
    name, _, password = account.partition(":")
    who: Account = (name, password)
    pids = {name: int(pid) for name, _, pid in (each.partition("=") for each in processes)}
    target = Target(gateway.rstrip("/"), broker, broker, who, who, names[1], names[2], pids)
    return on_given_stack(target, Work(target.url, "", who, who, names[0]), scale)


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Some hundred of each, and no bounds on time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and the table on stderr.")] = False,
    rows: Annotated[str, typer.Option(help="Only these rows of the table, as in 1,3; 0: those at random.")] = "",
    gateway: Annotated[str, typer.Option(help="Attack this gateway instead of a stack of its own.")] = "",
    account: Annotated[str, typer.Option(help="name:password of an account there.")] = "",
    broker: Annotated[str, typer.Option(help="The amqp:// URI of its broker.")] = "",
    queues: Annotated[str, typer.Option(help="Three of its queues: good,hostile,amqp.")] = "good,hostile,amqp",
    process: Annotated[list[str] | None, typer.Option(help="NAME=PID of a service to watch; repeat it.")] = None,
) -> None:
    """Attack XQueue on this machine, and see that nothing stops, nothing is lost, and nobody waits for it."""
    wanted = {int(row) for row in rows.split(",") if row}
    attacks = [attack for attack in ATTACKS if not wanted or (attack.row or 0) in wanted]
    scale = SHORT if quick else Scale()
    if gateway:
        opened = given(scale, gateway=gateway, account=account, broker=broker, queues=queues, processes=process or [])
        outcomes = asyncio.run(fight(opened, attacks))
    else:
        with own(scale) as ours:
            outcomes = asyncio.run(fight(ours, attacks))
    (_stderr if as_json else console()).print(as_table(outcomes))
    if as_json:
        print(json.dumps([outcome.as_dict() for outcome in outcomes]))
    kept = sum(not outcome.wrong for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    _stderr.print(
        f"{kept} of {len(attacks)} kept all bounds, in {seconds:.0f} s, at a load of {os.getloadavg()[0]:.1f}"
    )
    sys.exit(kept < len(attacks))


if __name__ == "__main__":
    run("attack", main, AttackError, StackError, LocalError)
