"""The command `make bench`: runs every comparison on a broker of its own and prints the figures."""

import json
import os
import platform
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from bench.figures import Comparison, Figure, as_table, figure
from bench.pace import Pace
from bench.program import run
from bench.replays import Ledger
from bench.replays import as_table as replays_table
from bench.stack import BenchError, Stack
from deploy.local.errors import LocalError
from deploy.local.ready import wait_until
from tests.support.broker import running_broker, temporary_vhost

# 64 LMS workers submit and 64 callbacks are under way (the relay's own default); 16 graders pull.
SUBMITS = Comparison("submits over HTTP", "confirmed publishes", goal=0.5, at_once=64)
PULLS = Comparison("pull cycles over HTTP", "consume, publish, ack", goal=0.4, at_once=16)
GRADERS = Comparison("AMQP grader cycles", "consume, publish, ack", goal=0.8, at_once=16)
THREADS = Comparison("AMQP grader in threads", "consume, publish, ack", goal=0.8, at_once=16)
CALLBACKS = Comparison("callbacks by relay", "POSTs with aiohttp", goal=0.5, at_once=64)

# One round takes about 15 s on 2 cores.
ROUNDS, COUNT = 5, 5000
QUICK_ROUNDS, QUICK_COUNT = 1, 1500
WARM_UP = 200

LEDGERS = (Ledger("busy", 1_000_000), Ledger("quiet", 100_000), Ledger("backlog", 1_000_000))
QUICK_LEDGERS = (Ledger("busy", 50_000), Ledger("quiet", 5_000), Ledger("backlog", 50_000))
CALLBACK_SECONDS = 120.0

Paces = dict[Comparison, tuple[list[Pace], list[Pace]]]


def measure(stack: Stack, rounds: int, count: int, done: Callable[[], None]) -> list[Figure]:
    """Measure each comparison `rounds` times, ours right after its bare program, and return the best.

    The same submissions go all the way: submitted, then graded, then delivered.
    """
    paces: Paces = {comparison: ([], []) for comparison in (SUBMITS, PULLS, CALLBACKS)}
    _submit(stack, WARM_UP, first=0)
    _pull(stack, WARM_UP)
    _callbacks(stack, WARM_UP)
    for number in range(1, rounds + 1):
        steps: list[tuple[Comparison, str, Callable[[], Pace]]] = [
            (SUBMITS, "publish", partial(_submit, stack, count, number * count)),
            (PULLS, "cycle", partial(_pull, stack, count)),
            (CALLBACKS, "post", partial(_callbacks, stack, count)),
        ]
        for comparison, program, ours in steps:
            paces[comparison][1].append(_bare(stack, program, comparison, count))
            done()
            paces[comparison][0].append(ours())
            done()
    return [figure(comparison, ours, bare) for comparison, (ours, bare) in paces.items()]


def measure_graders(stack: Stack, rounds: int, count: int, done: Callable[[], None]) -> list[Figure]:
    """Measure the library for AMQP graders, with an async function and with a plain one, on a stack of its own."""
    stack.declare()
    graders: Paces = {GRADERS: ([], []), THREADS: ([], [])}
    for _ in range(rounds):
        for comparison, kind in ((GRADERS, "coroutine"), (THREADS, "threads")):
            ours, bare = graders[comparison]
            bare.append(_bare(stack, "cycle", comparison, count))
            ours.append(stack.measure("bench.grader", kind, stack.amqp_url, count, comparison.at_once))
            done()
    return [figure(comparison, ours, bare) for comparison, (ours, bare) in graders.items()]


def _bare(stack: Stack, program: str, comparison: Comparison, count: int) -> Pace:
    url = stack.callback_url if program == "post" else stack.amqp_url
    return stack.measure("bench.bare", program, url, count, comparison.at_once)


def _submit(stack: Stack, count: int, first: int) -> Pace:
    return stack.measure("bench.load", "submit", stack.gateway_port, count, SUBMITS.at_once, stack.callback_url, first)


def _pull(stack: Stack, count: int) -> Pace:
    return stack.measure("bench.load", "pull", stack.gateway_port, count, PULLS.at_once)


def _callbacks(stack: Stack, count: int) -> Pace:
    """Deliver the results that wait; the time is the sink's, from the first callback to the last."""
    stack.sink("reset")
    with stack.relay():
        if not wait_until(lambda: stack.sink()["distinct"] >= count, CALLBACK_SECONDS):
            raise BenchError(f"of {count} results the LMS got {stack.sink()}")
        counted = stack.sink()
    if counted["posts"] != count:
        raise BenchError(f"{count} results became {counted['posts']} callbacks")
    return Pace((count - 1) / counted["seconds"])


def main(
    quick: Annotated[bool, typer.Option("--quick", help="One short round: half a minute, rough figures.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table.")] = False,
) -> None:
    """Measure XQueue beside bare programs. The broker is a private node, or the one that BROKER names."""
    rounds, count = (QUICK_ROUNDS, QUICK_COUNT) if quick else (ROUNDS, COUNT)
    ledgers = QUICK_LEDGERS if quick else LEDGERS
    about = {
        "rounds": f"{rounds} of {count}",
        "cores": str(os.cpu_count()),
        "Python": platform.python_version(),
    }
    stderr = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="xqueue-bench-") as folder, Progress(console=stderr) as progress:
        task = progress.add_task("starting a broker", total=1 + rounds * 8 + len(ledgers))
        with running_broker() as broker:
            progress.update(task, advance=1, description="measuring")
            with temporary_vhost(broker) as vhost:
                stack = Stack(vhost.amqp_url, Path(folder))
                with stack.running():
                    figures = measure(stack, rounds, count, lambda: progress.advance(task))
            with temporary_vhost(broker) as vhost:
                stack = Stack(vhost.amqp_url, Path(folder))
                figures += measure_graders(stack, rounds, count, lambda: progress.advance(task))
            replays = []
            for ledger in ledgers:
                progress.update(task, description=f"replaying {ledger.name}")
                with temporary_vhost(broker) as vhost:
                    replays.append(Stack(vhost.amqp_url, Path(folder)).replay(ledger))
                progress.advance(task)
    if as_json:
        measured = {"figures": [one.as_dict() for one in figures], "replays": [one.as_dict() for one in replays]}
        print(json.dumps({"about": about, **measured}))
    else:
        Console().print(as_table(figures, about))
        Console().print(replays_table(replays))


if __name__ == "__main__":
    run("bench", main, BenchError, LocalError)
