"""The command `make attack`: makes every attack, prints what each did, and ends with 1 where one broke a bound."""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from bench.attack.arena import AttackError
from bench.attack.attacks import ATTACKS, ON_AN_OLD_LIMIT, Attack
from bench.attack.battle import Battle, Outcome
from bench.attack.campaign import SHORT, Scale, on_given_stack, on_own_stack
from bench.attack.given_stack import QUEUES, Given, given
from bench.attack.own_stack import StackError
from bench.attack.report import as_table, console
from bench.program import run
from deploy.local.errors import LocalError
from tests.support.broker import Broker, own_node, running_broker, temporary_vhost
from tests.support.node_control import message_limit

_stderr = console(stderr=True)
OLD_LIMIT_BYTES = 128 * 1024 * 1024


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
def on_an_old_limit() -> Iterator[Broker]:
    """Run a private node that takes messages of 128 MiB, as RabbitMQ 3 does by itself."""
    with (
        tempfile.TemporaryDirectory(prefix="xqueue-broker-") as folder,
        own_node(Path(folder)) as node,
        message_limit(node, OLD_LIMIT_BYTES),
    ):
        yield Broker(node.amqp_url.rstrip("/"), node.management_url)


@contextlib.contextmanager
def own(scale: Scale, broker_to_be: AbstractContextManager[Broker]) -> Iterator[AbstractAsyncContextManager[Battle]]:
    """Prepare a battle on a stack of its own, on the broker that BROKER names."""
    with (
        tempfile.TemporaryDirectory(prefix="xqueue-attack-") as folder,
        broker_to_be as broker,
        temporary_vhost(broker) as vhost,
    ):
        yield on_own_stack(vhost, Path(folder), scale)


def main(
    *,
    quick: Annotated[bool, typer.Option("--quick", help="Some hundred of each, and no bounds on time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, and the table on stderr.")] = False,
    rows: Annotated[str, typer.Option(help="Only these rows of the table, as in 1,3; 0: those at random.")] = "",
    old_limit: Annotated[
        bool, typer.Option("--old-limit", help="Only row 2's full form, on a broker that takes 128 MiB: 8 GB of disk.")
    ] = False,
    gateway: Annotated[str, typer.Option(help="Attack this gateway instead of a stack of its own.")] = "",
    account: Annotated[str, typer.Option(help="name:password of an account there, the attacker's.")] = "",
    victim: Annotated[
        str, typer.Option(help="name:password of another one, for good work; without it rows 6 and 7 can't be.")
    ] = "",
    broker: Annotated[str, typer.Option(help="The amqp:// URI of its broker, an administrator's.")] = "",
    metrics: Annotated[str, typer.Option(help="Its relay's metrics page: http://127.0.0.1:18039/metrics.")] = "",
    management: Annotated[str, typer.Option(help="The URL of its broker's management API.")] = "",
    queues: Annotated[str, typer.Option(help="Four of its queues, with nothing in them.")] = ",".join(QUEUES),
    process: Annotated[
        list[str] | None, typer.Option(help="NAME=PID of a service to watch (gateway, relay, ...); repeat it.")
    ] = None,
) -> None:
    """Attack XQueue on this machine, and see that nothing stops, nothing is lost, and nobody waits for it."""
    wanted = {int(row) for row in rows.split(",") if row}
    attacks = [
        attack for attack in (ON_AN_OLD_LIMIT if old_limit else ATTACKS) if not wanted or (attack.row or 0) in wanted
    ]
    scale = SHORT if quick else Scale()
    if gateway:
        target, work = given(
            Given(gateway, account, victim, broker, metrics, management, queues, tuple(process or ())),
        )
        outcomes = asyncio.run(fight(on_given_stack(target, work, scale), attacks))
    else:
        with own(scale, on_an_old_limit() if old_limit else running_broker()) as ours:
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
