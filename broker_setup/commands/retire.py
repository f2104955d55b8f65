"""`retire`: ends what has waited too long, after a look at what that would be."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from broker_setup.commands.console import AsJson, moment, progress, settings_of, shown, warn_of_missed
from broker_setup.errors import ArgumentError, BrokerUnavailableError, XQueueError
from broker_setup.link.blocking import count_ready
from broker_setup.operating.retire_plan import Plan, Tally
from broker_setup.operating.retiring import Retirement
from broker_setup.settings import Settings
from broker_setup.topology import LEDGER, RESULTS_QUEUE, submissions_queue


class InterruptedRetirementError(XQueueError):
    """The operator pressed Ctrl-C."""


def retire(
    queue: Annotated[str, typer.Argument(help="The queue, as the LMS names it.", show_default=False)],
    *,
    before: Annotated[
        str, typer.Option(help="Retire what was submitted before: 2h, 3d, or ISO 8601 (UTC).", show_default=False)
    ],
    silent: Annotated[bool, typer.Option("--silent", help="Send the students no notice.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    reason: Annotated[str, typer.Option(help="For the ledger.")] = "retired by an operator",
    as_json: AsJson = False,
) -> None:
    """End the submissions of a queue that have waited since before a time; leased and newer ones stay.

    Without --yes it only counts, and asks if you are at a terminal. Counting holds what is ready in the queue for a
    moment, so graders find it empty meanwhile. Each student gets RETIRED_MESSAGE as the result. Interrupted, nothing
    is lost; run it again.
    """
    settings = settings_of(require=("SECRET_KEY",))
    if queue not in settings.xqueues:
        raise ArgumentError(f"no queue {queue!r}; there are: {', '.join(sorted(settings.xqueues)) or 'none'}")
    # Whatever is missing is said before anything is begun.
    count_ready(settings.amqp_url.get_secret_value(), [LEDGER, RESULTS_QUEUE, submissions_queue(queue)])
    plan = Plan(
        queue=queue,
        before=moment(before, datetime.now(UTC)),
        reason=reason.encode(errors="replace").decode(),
        message=None if silent else settings.retired_message,
    )
    if not yes:
        tally = _run(settings, plan, act=False)
        _tell(plan, tally, act=False, as_json=as_json)
        if not tally.met:
            return
        if as_json or not sys.stdin.isatty():
            typer.echo("nothing was done; --yes does it", err=True)
            return
        typer.confirm(f"Retire {tally.met} submissions?", abort=True, err=True)
    _tell(plan, _run(settings, plan, act=True), act=True, as_json=as_json)


def _run(settings: Settings, plan: Plan, *, act: bool) -> Tally:
    done = Tally()
    with progress() as display:
        task = display.add_task("retiring" if act else "looking", total=None)

        def show(tally: Tally) -> None:
            what = f"retired {tally.retired}" if act else f"to retire: {tally.met}"
            display.update(task, description=what, completed=tally.seen, total=max(tally.ready, tally.seen))

        retirement = Retirement(settings, plan, show)
        try:
            tally = asyncio.run(retirement.retire(done) if act else retirement.count())
        except KeyboardInterrupt:
            raise InterruptedRetirementError(f"interrupted; {_so_far(done)}") from None
        except BrokerUnavailableError as error:
            raise BrokerUnavailableError(f"{error}; {_so_far(done)}") from error
    warn_of_missed(tally.missed)
    return tally


def _so_far(done: Tally) -> str:
    return f"{done.retired} retired so far, the rest is in the queue as it was: run it again"


def _tell(plan: Plan, tally: Tally, *, act: bool, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_dict(plan, tally, act=act)))
        return
    left = f"{tally.newer} newer, {tally.leased} leased and {tally.unreadable} unreadable stay"
    when = f"since before {shown(plan.before.timestamp())}"
    if not act:
        print(f"{tally.met} submissions of {plan.queue} wait {when}; of those looked at, {left}")
        if tally.oldest and tally.newest:
            print(f"oldest {shown(tally.oldest.timestamp())}, newest {shown(tally.newest.timestamp())}")
        return
    told = "the students were not told" if plan.message is None else "the students are told"
    print(f"retired {tally.retired} submissions of {plan.queue} that waited {when}; {told}; {left}")


def _as_dict(plan: Plan, tally: Tally, *, act: bool) -> dict[str, Any]:
    return {
        "queue": plan.queue,
        "before": plan.before.isoformat(),
        "dry_run": not act,
        "silent": plan.message is None,
        "to_retire": tally.met,
        "retired": tally.retired,
        "oldest": tally.oldest.isoformat() if tally.oldest else None,
        "newest": tally.newest.isoformat() if tally.newest else None,
        "left": {"newer": tally.newer, "leased": tally.leased, "unreadable": tally.unreadable},
        "cleared": tally.cleared,
    }
