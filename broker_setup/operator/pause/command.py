"""`pause` and `resume`: a queue is handed out to nobody while its grader is mended."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from broker_setup.errors import ArgumentError
from broker_setup.link.blocking import count_ready
from broker_setup.link.pauses import LOOK_SECONDS
from broker_setup.operator.by import By, who_acts
from broker_setup.operator.carrying_out import carry_out
from broker_setup.operator.console import AsJson, moment_to_come, no_such_queue, settings_of
from broker_setup.operator.pause.pausing import pause_queue, resume_queue
from broker_setup.operator.pauses import as_dict, in_words
from broker_setup.settings import Settings
from broker_setup.topology import paused_queue
from broker_setup.wire.pauses import LONGEST_SECONDS, MAX_REASON, Pause

Queue = Annotated[str, typer.Argument(help="The queue, as the LMS names it.", show_default=False)]


def pause(
    queue: Queue,
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever looks.", show_default=False)],
    until: Annotated[
        str | None, typer.Option(help="It ends by itself then: 2h (from now), or ISO 8601 (UTC).", show_default=False)
    ] = None,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Hand out nothing of a queue until it is resumed; submits go on, and so do running leases and their results.

    Gateways hear of it at once, AMQP graders of our library and the bridge look every few seconds. It survives whatever
    is started again. A queue that is paused already is paused anew.
    """
    settings, name, now = settings_of(), who_acts(by), datetime.now(UTC)
    _check(settings, queue)
    reason = reason.encode(errors="replace").decode().strip()[:MAX_REASON]
    if not reason:
        raise ArgumentError("--reason is empty: say why, for whoever looks")
    ends = moment_to_come(until, now) if until else None
    if ends and ends - now > timedelta(seconds=LONGEST_SECONDS):
        raise ArgumentError("--until is more than 45 days ahead: leave it out, and resume the queue then")
    pausing = Pause(queue, reason, name, now, ends)
    untold = carry_out(pause_queue(settings, pausing), lambda: "look with `count` whether it is paused")
    _warn(untold)
    if as_json:
        print(json.dumps({"queue": queue, "paused": as_dict(pausing)}))
        return
    print(in_words(pausing))
    print(f"gateways stop at once, the bridge and AMQP graders of our library within {LOOK_SECONDS:g} s, other AMQP")
    print("graders only if they look whether it is paused (docs/howto/pause.md); what is leased goes on")


def resume(queue: Queue, *, by: By = None, as_json: AsJson = False) -> None:
    """Hand a queue that was paused out again."""
    settings, name = settings_of(), who_acts(by)
    _check(settings, queue)
    was_paused, untold = carry_out(
        resume_queue(settings, queue, by=name), lambda: "look with `count` whether it is paused"
    )
    _warn(untold)
    if as_json:
        print(json.dumps({"queue": queue, "was_paused": was_paused}))
    else:
        print(f"{queue} goes on" if was_paused else f"{queue} is not paused")


def _check(settings: Settings, queue: str) -> None:
    if queue not in settings.xqueues:
        raise no_such_queue(queue, settings)
    # What is missing is said before anything is begun.
    count_ready(settings.amqp_url.get_secret_value(), [paused_queue(queue)])


def _warn(untold: str) -> None:
    if untold:
        typer.echo(
            f"the ledger does not tell of it ({untold}): gateways see it within {2 * LOOK_SECONDS:g} s all the same",
            err=True,
        )
