"""Runs what `parked` does: progress on stderr, a look before anything is done, and a clear word when interrupted."""

import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from broker_setup.link.blocking import count_ready
from broker_setup.operator.carrying_out import agreed, carry_out
from broker_setup.operator.console import progress, warn_of_missed
from broker_setup.operator.parked.redriving import ParkedMessages
from broker_setup.operator.parked.selection import Selection, Tally
from broker_setup.operator.parked.views import groups_as_dicts, print_groups
from broker_setup.operator.parked.walk import Met
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, LEDGER
from broker_setup.visible import numbered
from broker_setup.wire.parked import PARKED_QUEUES, Kind

Work = Callable[[ParkedMessages], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Verb:
    """What is done, in words, and the queues that it needs beside the parked ones."""

    name: str
    doing: str
    done: str
    needs: tuple[str, ...]


LOOK = Verb("look at", "looking", "seen", ())
REDRIVE = Verb("redrive", "redriving", "redriven", (LEDGER, CHECKED_QUEUE))
DISCARD = Verb("discard", "discarding", "discarded", (LEDGER,))


@dataclass(frozen=True)
class Run:
    """What a command is about."""

    settings: Settings
    kinds: Sequence[Kind]
    selection: Selection
    limit: int | None = None
    although_told: bool = True


def look(run: Run, see: Callable[[Met], None]) -> Tally:
    """Show what is selected to `see`, and leave it where it is."""
    return _run(LOOK, run, lambda messages: messages.look(see))


def do(verb: Verb, run: Run, work: Work, *, yes: bool, as_json: bool) -> None:
    """Do `work` on what is selected if `yes`; else say what that would be, and ask if there is a terminal."""
    if not yes:
        tally = look(run, lambda _: None)
        _tell(verb, run, tally, dry=True, as_json=as_json)
        if not tally.selected:
            return
        if not agreed(f"{verb.name.capitalize()} {numbered(tally.selected, 'message')}?", as_json=as_json):
            return
    _tell(verb, run, _run(verb, run, work), dry=False, as_json=as_json)


def _run(verb: Verb, run: Run, work: Work) -> Tally:
    url = run.settings.amqp_url.get_secret_value()
    # Whatever is missing is said before anything is begun.
    ready = count_ready(url, [*verb.needs, *(PARKED_QUEUES[kind] for kind in run.kinds)])
    kinds = [kind for kind in run.kinds if ready[PARKED_QUEUES[kind]]]
    with progress() as display:
        task = display.add_task(verb.doing, total=None)

        def show(tally: Tally) -> None:
            what = f"{verb.doing}: {tally.selected} selected" if verb is LOOK else f"{verb.done} {tally.done}"
            display.update(task, description=what, completed=tally.seen, total=max(tally.ready, tally.seen))

        messages = ParkedMessages(
            run.settings, kinds, run.selection, limit=run.limit, although_told=run.although_told, progress=show
        )
        if not kinds:
            return messages.tally
        carry_out(work(messages), lambda: _so_far(verb, messages.tally))
    warn_of_missed(messages.tally.missed)
    return messages.tally


def _so_far(verb: Verb, tally: Tally) -> str:
    if verb is LOOK:
        return "everything is parked as it was"
    return f"{tally.done} {verb.done} so far, the rest is parked as it was: run it again"


def _tell(verb: Verb, run: Run, tally: Tally, *, dry: bool, as_json: bool) -> None:
    if as_json:
        said = {"dry_run": dry, "selected": tally.selected, verb.done: tally.done, "told": tally.told}
        said |= {"cleared": tally.cleared, "stuck": tally.stuck} if verb is REDRIVE else {}
        print(json.dumps(said | {"groups": groups_as_dicts(tally)}))
        return
    if not tally.selected:
        print(f"0 of {tally.seen} parked messages {'can go' if tally.told else 'match'}")
    elif dry:
        print_groups(tally, datetime.now(UTC))
    else:
        print(f"{verb.done} {tally.done} of {tally.selected} parked messages")
    if tally.cleared:
        print(f"{tally.cleared} submissions were graded, retired or redriven before: they are cleared away")
    if tally.stuck:
        print(f"{tally.stuck} stay: too large, no submission, or of no queue that XQUEUES names")
    if tally.told and verb is REDRIVE:
        print(_of_told(run, tally.told))


def _of_told(run: Run, told: int) -> str:
    why = "their students were told that there will be no result, and the LMS ignores what comes after that"
    return f"of these, {told}: {why}" if run.although_told else f"{told} stay: {why}; --although-told sends them"
