"""The command `make chaos`: plays schedules on a real cluster, and ends with 1 if a promise or a bound is broken."""

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.chaos.clock import clock_off_by
from bench.chaos.cluster import Cluster
from bench.chaos.namespace import enter_namespace
from bench.chaos.outcome import Outcome, as_table, together
from bench.chaos.playing import play
from bench.chaos.schedules import Schedule
from bench.chaos.wider_schedules import ALL
from bench.goals import Figure
from bench.goals import as_table as as_table_of_figures
from bench.program import run
from bench.stack import BenchError
from deploy.local.errors import LocalError
from tests.support.broker import CACHE

TABLE_WIDTH = 150


def main(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only schedules with these words in their names.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Play each so often.")] = 1,
    list_: Annotated[bool, typer.Option("--list", help="Name the schedules and play none.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep all logs in this new folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of tables.")] = False,
) -> None:
    """Freeze, kill and cut off RabbitMQ's three nodes and XQueue's processes, and judge what is promised.

    All schedules take about 35 minutes. RABBITMQ=debian-13 plays them on RabbitMQ 4.0.
    """
    chosen = [each for each in ALL if not only or any(words in each.name for words in only)]
    if list_:
        print("\n".join(schedule.name for schedule in chosen))
        return
    if not chosen:
        raise BenchError("no schedule has such words in its name: --list names them all")
    stderr = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="xqueue-chaos-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        cluster = Cluster(folder, stderr.print)  # which may fetch it, and can't from a network of our own
        if any(each.clocks for each in chosen):
            clock_off_by(1, CACHE, stderr.print)
        if not enter_namespace():
            stderr.print("no network namespace (it takes root, ip and iptables): played without dropping packets")
            chosen = [each for each in chosen if not each.takes_namespace]
        version, outcomes, figures = asyncio.run(_play(cluster, chosen * runs, folder, stderr))
    missed = [figure for figure in figures if not figure.is_good]
    if as_json:
        said = {"rabbitmq": version, "outcomes": [each.as_dict() for each in together(outcomes)]}
        print(json.dumps(said | {"figures": [figure.as_dict() for figure in figures]}))
    else:
        console = Console(width=max(Console().width, TABLE_WIDTH))
        console.print(as_table(outcomes, f"RabbitMQ {version}"))
        if missed:
            console.print(as_table_of_figures(missed))
    sys.exit(bool(missed) or not all(each.is_good for each in outcomes))


async def _play(
    cluster: Cluster, schedules: Sequence[Schedule], folder: Path, stderr: Console
) -> tuple[str, list[Outcome], list[Figure]]:
    outcomes: list[Outcome] = []
    figures: list[Figure] = []
    stderr.print("starting three nodes")
    with cluster.running():
        version = cluster.version
        for number, schedule in enumerate(schedules, 1):
            stderr.print(f"{number} of {len(schedules)}: {schedule.name} for {schedule.seconds:.0f} s")
            try:
                judged, played = await play(schedule, cluster, folder / f"schedule{number}", stderr.print)
            except Exception as error:  # noqa: BLE001 - the others are still worth playing
                stderr.print(f"could not be played to its end: {error!r}")
                played = [Figure(schedule.name, "could not be played", 1, 0)]
            else:
                outcomes.append(judged)
                # Whoever stops it half way has what there was.
                stderr.print_json(data=judged.as_dict() | {"load": round(os.getloadavg()[0], 1)})
            for figure in (each for each in played if not each.is_good):
                stderr.print(f"{figure.what}: {figure.value:g}, at most {figure.at_most:g}")
            figures += played
    return version, outcomes, figures


if __name__ == "__main__":
    run("chaos", main, BenchError, LocalError)
