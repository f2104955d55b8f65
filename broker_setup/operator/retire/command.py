"""`retire`: ends what has waited too long, after the ledger was asked what that would be."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from broker_setup.link.blocking import count_ready
from broker_setup.operator.backlog import Backlog
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.carrying_out import agreed, carry_out
from broker_setup.operator.console import (
    AsJson,
    iso,
    moment,
    no_such_queue,
    progress,
    settings_of,
    shown,
    warn_of_missed,
)
from broker_setup.operator.read_ledger import read_ledger
from broker_setup.operator.retire.plan import Expectation, Plan, Tally, expect
from broker_setup.operator.retire.retiring import Retirement
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, LEDGER, submissions_queue
from broker_setup.visible import numbered


def retire(
    queue: Annotated[str, typer.Argument(help="The queue, as the LMS names it.", show_default=False)],
    *,
    before: Annotated[
        str, typer.Option(help="Retire what was submitted before: 2h, 3d, or ISO 8601 (UTC).", show_default=False)
    ],
    silent: Annotated[bool, typer.Option("--silent", help="Send the students no notice.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    reason: Annotated[str, typer.Option(help="For the ledger.")] = "retired by an operator",
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """End the submissions of a queue that have waited since before a time; leased and newer ones stay.

    Without --yes it counts from the ledger and touches nothing, and asks if you are at a terminal. It can't know of
    what is older than the ledger, nor of what AMQP graders have in hand: the broker's count stands beside it. Each
    student gets RETIRED_MESSAGE as the result. Interrupted, nothing is lost; run it again.
    """
    settings = settings_of(require=("SECRET_KEY",))
    if queue not in settings.xqueues:
        raise no_such_queue(queue, settings)
    begun = datetime.now(UTC)
    if moment(before, begun) > begun:
        typer.echo(f"--before {before} is in the future: that is all that waits", err=True)
    url, course_queue = settings.amqp_url.get_secret_value(), submissions_queue(queue)
    # Whatever is missing is said before anything is begun.
    ready = count_ready(url, [LEDGER, CHECKED_QUEUE, course_queue])[course_queue]
    plan = Plan(
        queue=queue,
        before=moment(before, begun),
        reason=reason.encode(errors="replace").decode(),
        by=who_acts(by),
        message=None if silent else settings.retired_message,
    )
    if not yes:
        backlog = Backlog()
        # All of it: what waits may have been submitted long before LEDGER_WINDOW.
        read_ledger(url, backlog.take)
        expectation = expect(backlog, plan, ready, datetime.now(UTC).timestamp())
        _tell_expectation(plan, expectation, as_json=as_json)
        if not expectation.tally.met and expectation.unaccounted <= 0:
            return
        more = ", and what is as old of those that the ledger does not tell of" * (expectation.unaccounted > 0)
        if not agreed(f"Retire {numbered(expectation.tally.met, 'submission')}{more}?", as_json=as_json):
            return
    _tell(plan, _run(settings, plan), as_json=as_json)


def _run(settings: Settings, plan: Plan) -> Tally:
    done = Tally()
    with progress() as display:
        task = display.add_task("retiring", total=None)

        def show(tally: Tally) -> None:
            total = max(tally.ready, tally.seen)
            display.update(task, description=f"retired {tally.retired}", completed=tally.seen, total=total)

        tally = carry_out(Retirement(settings, plan, show).retire(done), lambda: _so_far(done))
    warn_of_missed(tally.missed)
    return tally


def _so_far(done: Tally) -> str:
    return f"{done.retired} retired so far, the rest is in the queue as it was: run it again"


def _tell_expectation(plan: Plan, expectation: Expectation, *, as_json: bool) -> None:
    tally, since = expectation.tally, expectation.ledger_since
    if as_json:
        said = _as_dict(plan, tally, act=False)
        counted = {"ready": expectation.ready, "unaccounted": expectation.unaccounted}
        print(json.dumps(said | counted | {"ledger_since": None if since is None else iso(since)}))
        return
    print(
        f"{numbered(tally.met, 'submission')} of {plan.queue} waiting since before {shown(plan.before.timestamp())}; "
        f"{tally.newer} newer and {tally.leased} leased stay, {tally.cleared} superseded go untold"
    )
    if tally.oldest and tally.newest:
        print(f"oldest {shown(tally.oldest.timestamp())}, newest {shown(tally.newest.timestamp())}")
    print(f"the broker has {expectation.ready} ready, {_compared(expectation.unaccounted, since)}")


def _compared(unaccounted: int, since: float | None) -> str:
    if not unaccounted:
        return "as many as the ledger tells of"
    if unaccounted < 0:
        held = "with AMQP graders, or held by a gateway for a moment"
        return f"{-unaccounted} fewer than the ledger tells of: {held}"
    begins = "which is empty" if since is None else f"which begins at {shown(since)}"
    why = f"older than the ledger, {begins}, or never noted there, leased and given back, or no submissions"
    return f"{unaccounted} more than the ledger tells of: {why}"


def _tell(plan: Plan, tally: Tally, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(_as_dict(plan, tally, act=True)))
        return
    when = f"since before {shown(plan.before.timestamp())}"
    told = "the students were not told" if plan.message is None else "the students are told"
    left = f"{tally.newer} newer, {tally.leased} leased and {tally.unreadable} unreadable stay"
    print(f"retired {numbered(tally.retired, 'submission')} of {plan.queue} that waited {when}; {told}; {left}")


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
        # Of what can't be read the ledger knows nothing.
        "left": {"newer": tally.newer, "leased": tally.leased, "unreadable": tally.unreadable if act else None},
        "cleared": tally.cleared,
    }
