"""The command `make chaos`: plays each schedule on a real cluster, and ends with 1 if a bound is broken."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench.chaos.cluster import Cluster
from bench.chaos.playing import play
from bench.chaos.schedules import SCHEDULES, Schedule
from bench.goals import Figure, as_table
from bench.program import run
from bench.stack import BenchError
from deploy.local.errors import LocalError


def main(
    only: Annotated[
        list[str] | None, typer.Option(metavar="WORDS", help="Only schedules with these words in their names.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep all logs in this new folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table.")] = False,
) -> None:
    """Freeze, kill and cut off nodes of a three-node RabbitMQ while XQueue works on it: a quarter of an hour in all."""
    chosen = [each for each in SCHEDULES if not only or any(words in each.name for words in only)]
    stderr = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="xqueue-chaos-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        figures = asyncio.run(_play(chosen, folder, stderr))
    if as_json:
        print(json.dumps([figure.as_dict() for figure in figures]))
    else:
        Console().print(as_table(figures))
    sys.exit(any(not figure.is_good for figure in figures))


async def _play(schedules: Sequence[Schedule], folder: Path, stderr: Console) -> list[Figure]:
    figures: list[Figure] = []
    stderr.print("starting three nodes")
    cluster = Cluster(folder, stderr.print)
    with cluster.running():
        for number, schedule in enumerate(schedules, 1):
            stderr.print(f"{number} of {len(schedules)}: {schedule.name} for {schedule.seconds:.0f} s")
            try:
                played = await play(schedule, cluster, folder / f"schedule{number}", stderr.print)
            except Exception as error:  # noqa: BLE001 - the others are still worth playing
                stderr.print(f"could not be played to its end: {error!r}")
                played = [Figure(schedule.name, "could not be played", 1, 0)]
            # Whoever stops it half way has what there was.
            stderr.print(as_table(played))
            figures += played
    return figures


if __name__ == "__main__":
    run("chaos", main, BenchError, LocalError)
