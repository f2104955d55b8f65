"""`results list` and `results retry`: what waits for another try at an LMS, and calling it in before its time."""

import json
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from broker_setup.errors import ArgumentError
from broker_setup.link.blocking import count_ready
from broker_setup.operator.between_queues import between_queues
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.carrying_out import agreed, carry_out
from broker_setup.operator.console import AsJson, add_row, progress, settings_of, show_table, shown, warn_of_missed
from broker_setup.operator.filters import origin_meant, uuid_meant, warn_of_unknown_queue
from broker_setup.operator.plain_help import PlainTyper
from broker_setup.operator.results.waiting_results import Filter, Found, WaitingResult, WaitingResults
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, LEDGER, RESULTS_QUEUE
from broker_setup.visible import numbered

results = PlainTyper(
    help="Look at results that wait for another try, and call them in.", no_args_is_help=True, add_completion=False
)

Origin = Annotated[
    str | None,
    typer.Option(help="For this LMS, such as https://lms.example; * stands for anything.", show_default=False),
]
Queue = Annotated[str | None, typer.Option(help="Of this course queue.", show_default=False)]
Uuid = Annotated[str | None, typer.Option(help="Of this submission.", show_default=False)]


@results.command("list")
def list_(
    *,
    origin: Origin = None,
    queue: Queue = None,
    uuid: Uuid = None,
    limit: Annotated[int, typer.Option(min=1, help="List this many at most, those that come back first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Say which results wait on rungs, for which LMS and why, how often they were tried, and when they are next.

    Looking takes them out for a moment and puts them back. Those whose rung is over, and that RabbitMQ has not stored
    in xqueue.results.checked yet, nobody can look at; how many they are the management API says (MANAGEMENT_URL).
    """
    settings = settings_of()
    ready, found = _run(settings, _meant(settings, origin, queue, uuid), lambda waiting: waiting.look())
    between = between_queues(settings, settings.rungs)
    first = sorted(found.results, key=lambda each: each.wait.until.timestamp() if each.wait.until else 0.0)[:limit]
    if as_json:
        told: dict[str, Any] = {"ready": ready, "waiting": len(found.results), "origins": _origins(found)}
        told |= {"between_queues": between.known}
        print(json.dumps(told | {"results": [_as_dict(each) for each in first]}))
        return
    print(f"{ready} for the relay to take at once, {len(found.results)} on rungs")
    print(f"on the way from a rung to {CHECKED_QUEUE}: {between}")
    _print(found, first)


@results.command()
def retry(
    *,
    origin: Origin = None,
    queue: Queue = None,
    uuid: Uuid = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them; without a filter, this is needed.")] = False,
    rate: Annotated[int, typer.Option(min=1, help="Results a second, at the most.")] = 100,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Call results in from their rungs: the relay has them at once, with the tries that were made.

    Interrupted, nothing is lost; run it again.
    """
    settings, name = settings_of(), who_acts(by)
    meant = _meant(settings, origin, queue, uuid)
    if meant == Filter() and not everything:
        raise ArgumentError("say which: --origin, --queue, --uuid, or --all")
    if not yes:
        _, found = _run(settings, meant, lambda waiting: waiting.look())
        _tell(found, dry=True, as_json=as_json)
        if not found.results:
            return
        if not agreed(f"Call {numbered(len(found.results), 'result')} in?", as_json=as_json):
            return
    _, found = _run(settings, meant, lambda waiting: waiting.call_in(rate, by=name), needs=(LEDGER,))
    _tell(found, dry=False, as_json=as_json)


def _meant(settings: Settings, origin: str | None, queue: str | None, uuid: str | None) -> Filter:
    warn_of_unknown_queue(queue, settings)
    return Filter(origin_meant(origin), queue, uuid_meant(uuid))


def _run(
    settings: Settings,
    meant: Filter,
    work: Callable[[WaitingResults], Coroutine[Any, Any, None]],
    needs: Sequence[str] = (),
) -> tuple[int, Found]:
    # What is missing is said before anything is begun.
    ready = dict(
        count_ready(
            settings.amqp_url.get_secret_value(),
            [RESULTS_QUEUE, CHECKED_QUEUE, *needs, *settings.rungs],
            if_there=settings.former_rungs,
        )
    )
    for name in needs:
        del ready[name]
    at_once = ready.pop(RESULTS_QUEUE) + ready.pop(CHECKED_QUEUE)
    with progress() as display:
        task = display.add_task("looking at rungs", total=None)

        def show(found: Found) -> None:
            display.update(task, description=f"{found.seen} seen, {found.called} called in")

        waiting = WaitingResults(settings, ready, meant, show)
        carry_out(
            work(waiting),
            lambda: f"{waiting.found.called} called in so far, the rest waits as it did: run it again",
        )
    warn_of_missed(waiting.found.missed)
    return at_once, waiting.found


def _tell(found: Found, *, dry: bool, as_json: bool) -> None:
    if as_json:
        told = {"dry_run": dry, "selected": len(found.results), "called_in": found.called, "origins": _origins(found)}
        print(json.dumps(told))
    elif dry:
        print(f"{len(found.results)} of {found.seen} results on rungs match")
    else:
        print(f"called in {found.called} of {found.seen} results on rungs")


def _origins(found: Found) -> list[dict[str, Any]]:
    number = Counter((each.wait.origin, each.wait.reason) for each in found.results)
    return [{"origin": origin, "reason": reason, "number": count} for (origin, reason), count in number.most_common()]


def _as_dict(each: WaitingResult) -> dict[str, Any]:
    return {
        "uuid": each.uuid,
        "rung": each.rung,
        "origin": each.wait.origin,
        "queue": each.wait.queue,
        "reason": each.wait.reason,
        "tries": each.tries,
        "next_try": each.wait.until.isoformat() if each.wait.until else None,
    }


def _print(found: Found, first: list[WaitingResult]) -> None:
    if not found.results:
        return
    table = Table("number", "LMS", "reason")
    for group in _origins(found):
        add_row(table, str(group["number"]), group["origin"] or "-", group["reason"])
    show_table(table)
    table = Table("next try", "LMS", "queue", "tries", "uuid", "reason")
    for each in first:
        until = shown(each.wait.until.timestamp()) if each.wait.until else ""
        wait = each.wait
        add_row(table, until, wait.origin or "-", wait.queue, str(each.tries), each.uuid, wait.reason)
    show_table(table)
    if len(found.results) > len(first):
        print(f"and {len(found.results) - len(first)} more: --limit lists more of them")
