"""The command `make bench`: runs every comparison on a broker of its own and prints the figures."""

import json
import os
import platform
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from bench import burdens, goals, growth, replays, scaling
from bench.figures import Comparison, as_table, figure
from bench.pace import Pace
from bench.program import run
from bench.sections import Measured, Run, Section, chosen_of
from bench.stack import BenchError, Stack
from deploy.local.errors import LocalError
from deploy.local.ready import wait_until
from tests.support.broker import running_broker

# 64 LMS workers submit and 64 callbacks are under way (the relay's own default); 16 graders pull.
SUBMITS = Comparison(
    "submits", "submits over HTTP", "confirmed publishes", goals.SUBMITS_OF_BARE, 64, goals.SUBMIT_MICROSECONDS
)
PULLS = Comparison(
    "cycles", "pull cycles over HTTP", "consume, publish, ack", goals.CYCLES_OF_BARE, 16, goals.CYCLE_MICROSECONDS
)
CALLBACKS = Comparison("callbacks", "callbacks by relay", "POSTs with aiohttp", goals.CALLBACKS_OF_BARE, 64)
GRADERS = Comparison("grader", "AMQP grader cycles", "consume, publish, ack", goals.GRADER_OF_BARE, 16)
THREADS = Comparison("threads", "AMQP grader in threads", "consume, publish, ack", goals.GRADER_IN_THREADS_OF_BARE, 16)

# One round of all comparisons takes about 15 s on 2 cores.
ROUNDS, COUNT = 5, 5000
QUICK_ROUNDS, QUICK_COUNT = 1, 1500
WARM_UP = 200
CALLBACK_SECONDS = 120.0

Paces = dict[Comparison, tuple[list[Pace], list[Pace]]]


def measure(run: Run) -> Measured:
    """Measure each comparison that is chosen, ours right after its bare program in each round, and return the best.

    The same submissions go all the way: submitted, then graded, then delivered; as far as somebody wants to know.
    """
    with run.stack() as stack, stack.running():
        count = _count(run)
        ways: list[tuple[Comparison, str, Callable[[], Pace]]] = [
            (SUBMITS, "publish", lambda: _submit(stack, count, next(run.numbers) * count)),
            (PULLS, "cycle", partial(_pull, stack, count)),
            (CALLBACKS, "post", partial(_callbacks, stack, count)),
        ]
        paces: Paces = {comparison: ([], []) for comparison, *_ in ways if comparison.key in run.chosen}
        last = max(number for number, (comparison, *_) in enumerate(ways) if comparison in paces)
        _submit(stack, WARM_UP, first=0)
        _pull(stack, WARM_UP)
        _callbacks(stack, WARM_UP)
        for _ in range(run.rounds):
            for comparison, program, ours in ways[: last + 1]:
                if comparison in paces:
                    paces[comparison][1].append(_bare(stack, program, comparison, count))
                    run.done()
                    paces[comparison][0].append(ours())
                    run.done()
                else:
                    ours()  # what comes after needs it
    return _measured(paces)


def measure_graders(run: Run) -> Measured:
    """Measure the library for AMQP graders, with an async function and with a plain one, on a stack of its own."""
    kinds = [(each, kind) for each, kind in ((GRADERS, "coroutine"), (THREADS, "threads")) if each.key in run.chosen]
    paces: Paces = {comparison: ([], []) for comparison, _ in kinds}
    with run.stack() as stack:
        stack.declare()
        for _ in range(run.rounds):
            for comparison, kind in kinds:
                ours, bare = paces[comparison]
                bare.append(_bare(stack, "cycle", comparison, _count(run)))
                run.done()
                ours.append(stack.measure("bench.grader", kind, stack.amqp_url, _count(run), comparison.at_once))
                run.done()
    return _measured(paces)


def _measured(paces: Paces) -> Measured:
    figures = [figure(comparison, ours, bare) for comparison, (ours, bare) in paces.items()]
    return Measured(as_table(figures), [one.as_dict() for one in figures])


def _count(run: Run) -> int:
    return QUICK_COUNT if run.quick else COUNT


def _bare(stack: Stack, program: str, comparison: Comparison, count: int) -> Pace:
    url = stack.callback_url if program == "post" else stack.amqp_url
    return stack.measure("bench.bare", program, url, count, comparison.at_once)


def _submit(stack: Stack, count: int, first: int) -> Pace:
    told = ("submit", stack.gateway_port, count, SUBMITS.at_once, stack.callback_url, first)
    return stack.measure_gateways(count, "bench.load", *told)


def _pull(stack: Stack, count: int) -> Pace:
    return stack.measure_gateways(count, "bench.load", "pull", stack.gateway_port, count, PULLS.at_once)


def _callbacks(stack: Stack, count: int) -> Pace:
    """Deliver the results that wait; the time is the sink's, from the first callback to the last.

    The relay's CPU time is that of the callbacks which come after the first look: before, it starts.
    """
    stack.sink("reset")
    with stack.relay() as meter:
        _wait_for_callbacks(stack, 1)
        before, used = stack.sink()["posts"], meter.read()
        _wait_for_callbacks(stack, count)
        used = meter.at_rest() - used
        counted = stack.sink()
    if counted["posts"] != count:
        raise BenchError(f"{count} results became {counted['posts']} callbacks")
    pace = Pace((count - 1) / counted["seconds"])
    return replace(pace, cpu=1e6 * used / (count - before)) if count > before else pace


def _wait_for_callbacks(stack: Stack, count: int) -> None:
    if not wait_until(lambda: stack.sink()["distinct"] >= count, CALLBACK_SECONDS):
        raise BenchError(f"of {count} results the LMS got {stack.sink()}")


def _two_each(*figures: str) -> Callable[[Run], int]:
    return lambda run: 2 * run.rounds * len(run.chosen.intersection(figures))


HTTP, LIBRARY = (SUBMITS.key, PULLS.key, CALLBACKS.key), (GRADERS.key, THREADS.key)
SECTIONS = (
    Section("figures", HTTP, _two_each(*HTTP), measure),
    Section("graders", LIBRARY, _two_each(*LIBRARY), measure_graders),
    Section("latencies", burdens.BURDENS, burdens.steps, burdens.measure),
    Section("scaling", (scaling.GATEWAYS, scaling.WORKERS), scaling.steps, scaling.measure),
    Section("growth", (growth.BACKLOG,), growth.steps, growth.measure),
    Section("replays", replays.KINDS, replays.steps, replays.measure),
)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="One short round: rough figures, in a minute or two.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of tables.")] = False,
    only: Annotated[str, typer.Option("--only", help="Measure only these, such as submits,cycles.")] = "",
    rounds: Annotated[int | None, typer.Option(min=1, help="How many rounds; 5, or 1 with --quick.")] = None,
) -> None:
    """Measure XQueue beside bare programs. The broker is a private node, or the one that BROKER names."""
    chosen = chosen_of(only, SECTIONS)
    sections = [section for section in SECTIONS if chosen.intersection(section.figures)]
    rounds = rounds or (QUICK_ROUNDS if quick else ROUNDS)
    stderr = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="xqueue-bench-") as folder, Progress(console=stderr) as progress:
        task = progress.add_task("starting a broker", total=None)
        with running_broker() as broker:
            run = Run(broker, Path(folder), chosen, quick, rounds, lambda: progress.advance(task))
            progress.update(task, total=sum(section.steps(run) for section in sections))
            measured, failed = {}, []
            for section in sections:
                progress.update(task, description=f"measuring {section.title}")
                try:
                    measured[section.title] = section.measure(run)
                except BenchError as error:  # what else is measured takes its time, and is worth having
                    failed.append(f"{section.title}: {error}")
    about = {"rounds": rounds, "cores": os.cpu_count(), "Python": platform.python_version(), "quick": quick}
    if as_json:
        print(json.dumps({"about": about} | {title: found.rows for title, found in measured.items()}))
    else:
        console = Console()
        for found in measured.values():
            console.print(found.table)
        console.print(", ".join(f"{name}: {value}" for name, value in about.items()))
    if failed:
        raise BenchError("\n".join(failed))


if __name__ == "__main__":
    run("bench", main, BenchError, LocalError)
