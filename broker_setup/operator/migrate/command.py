"""`migrate`: makes queues anew that have the arguments of another version, with what is in them."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from broker_setup.errors import ArgumentError, ManagementError
from broker_setup.link.blocking import count_ready
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.carrying_out import agreed, carry_out
from broker_setup.operator.console import AsJson, add_row, progress, settings_of, show_table, warn_of_no_queue
from broker_setup.operator.management_api import Management, management_api
from broker_setup.operator.migrate.migrating import Different, Migration, find_different
from broker_setup.operator.migrate.other_broker import ask_for_queues, other_broker
from broker_setup.operator.migrate.plan import Step, in_short, temporary_queue
from broker_setup.operator.migrate.to_broker import Removal
from broker_setup.settings import Settings
from broker_setup.topology import LEDGER, Queue
from broker_setup.visible import numbered


def migrate(
    *,
    to: Annotated[
        str | None,
        typer.Option(envvar="MIGRATE_TO", help="Move all to this broker: amqp://...", show_default=False),
    ] = None,
    without_ledger: Annotated[
        bool, typer.Option("--without-ledger", help="With --to: leave the history, and the leases that run.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Make queues anew whose arguments are not this version's, and keep what is in them, in its order.

    With --to, move everything to another broker, and copy the ledger there.

    While gateways and graders run; a queue hands nothing out until what is held of it is settled or has come back.
    Interrupted, nothing is lost, and nothing there twice: run it again. Needs MANAGEMENT_URL.
    """
    settings = settings_of()
    warn_of_no_queue(settings)
    if to:
        _move_away(settings, other_broker(settings, to), with_ledger=not without_ledger, yes=yes, as_json=as_json)
        return
    if without_ledger:
        raise ArgumentError("--without-ledger is for --to alone: in place the ledger is not touched")
    management = management_api(settings)
    if management is None:
        raise ArgumentError("MANAGEMENT_URL is not set: only the management API says what is held, and what is bound")
    with management as api:
        found = find_different(settings, api)
        rows = _rows(settings, found)
        if not as_json:
            _show(rows)
        moved = 0
        movable = [each.queue for each in found if each.can_move]
        if movable and (yes or agreed(f"Migrate {numbered(len(movable), 'queue')}?", as_json=as_json)):
            moved = _make_anew(settings, api, movable, by=who_acts(by))
            if not as_json:
                print(f"{numbered(len(movable), 'queue')} made anew, {numbered(moved, 'message')} moved there and back")
    if as_json:
        print(json.dumps({"queues": rows, "moved": moved}))
    if left := [each.queue.name for each in found if not each.can_move]:
        raise ManagementError(f"{', '.join(left)} has other arguments, and stays: docs/reference/ledger.md says how")


def _rows(settings: Settings, found: Sequence[Different]) -> list[dict[str, object]]:
    both = [name for each in found for name in (each.queue.name, temporary_queue(each.queue.name))]
    waiting = count_ready(settings.amqp_url.get_secret_value(), (), if_there=both)
    return [
        {
            "queue": each.queue.name,
            "waiting": waiting.get(each.queue.name, 0) + waiting.get(temporary_queue(each.queue.name), 0),
            "next": str(each.step) if each.can_move else "left: a stream can't be moved",
            "why": each.why,
        }
        for each in found
    ]


def _make_anew(settings: Settings, api: Management, queues: Sequence[Queue], *, by: str) -> int:
    """Migrate in place; return how many messages were moved, there and back."""
    with progress() as display:
        task = display.add_task("migrating", total=None)

        def tell(queue: Queue, step: Step, more: str) -> None:
            display.update(task, description=f"{queue.name} {step} {more}".rstrip())

        work = Migration(settings, api, tell)
        carry_out(
            work.run(queues, by=by),
            lambda: f"{numbered(work.moved, 'message')} moved so far; run it again for the rest",
        )
    return work.moved


def _move_away(settings: Settings, to: str, *, with_ledger: bool, yes: bool, as_json: bool) -> None:
    names = [queue.name for queue in settings.topology.queues]
    # Whatever is missing is said before anything is begun.
    ask_for_queues(to, names)
    waiting = count_ready(settings.amqp_url.get_secret_value(), (), if_there=names)
    rows: list[dict[str, object]] = [
        {"queue": name, "waiting": waiting.get(name, 0)} for name in names if name != LEDGER
    ]
    frames = 0
    if not as_json:
        table = Table("queue", "waiting")
        for row in rows:
            add_row(table, str(row["queue"]), str(row["waiting"]))
        show_table(table)
    moved: Counter[str] = Counter()
    if yes or agreed("Move all of it?", as_json=as_json):
        with progress() as display:
            task = display.add_task("moving", total=None)
            work = Removal(settings, to, lambda what, number: display.update(task, description=f"{what} {number}"))
            carry_out(
                work.run(with_ledger=with_ledger),
                lambda: f"{numbered(work.moved.total(), 'message')} moved so far; run it again for the rest",
            )
            moved, frames = work.moved, work.frames
        if not as_json:
            print(f"{numbered(moved.total(), 'message')} moved, {numbered(frames, 'frame')} of the ledger copied")
            print("what old processes hold comes back when they end: run it again then, before new ones start")
    if as_json:
        told = [{**row, "moved": moved[str(row["queue"])]} for row in rows]
        print(json.dumps({"queues": told, "moved": moved.total(), "frames": frames}))


def _show(rows: list[dict[str, object]]) -> None:
    if not rows:
        print("all queues have the arguments of this version")
        return
    table = Table("queue", "waiting", "next", "why")
    for row in rows:
        add_row(table, *(str(row[key]) for key in ("queue", "waiting", "next")), in_short(str(row["why"])))
    show_table(table)
