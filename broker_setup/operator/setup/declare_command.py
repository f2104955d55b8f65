"""`declare` and `check`: the exchanges, queues and bindings, and what to change at the broker itself."""

import json
import time

import typer
from rich.table import Table

from broker_setup.errors import BrokerUnavailableError, ManagementError
from broker_setup.operator.console import AsJson, add_row, settings_of, show_table, warn_of_no_queue
from broker_setup.operator.management_api import Management, management_api
from broker_setup.operator.setup import declare as broker
from broker_setup.operator.setup.broker_advice import advice, of_dead_letters
from broker_setup.operator.setup.policy import put_policy_if_possible
from broker_setup.operator.setup.policy_harm import harm_of_policies
from broker_setup.settings import Settings

# Longer than the 5 s after which the broker counts anew.
STATISTICS_SECONDS = 6.0


def declare(as_json: AsJson = False) -> None:
    """Make the exchanges, queues and bindings that are missing; safe to run again.

    With MANAGEMENT_URL, an administrator's, also the policy that parks what comes back too often.
    """
    settings = settings_of()
    warn_of_no_queue(settings)
    broker.declare(settings.amqp_url.get_secret_value(), settings.topology)
    put_policy_if_possible(settings)
    queues = settings.topology.queues
    if as_json:
        print(json.dumps({"queues": [{"name": queue.name, "purpose": queue.purpose} for queue in queues]}))
        return
    table = Table("queue", "holds")
    for queue in queues:
        add_row(table, queue.name, queue.purpose)
    show_table(table)


def check(as_json: AsJson = False) -> None:
    """Say what of the topology is missing, different or taken from by a policy; exit with 1 if anything is.

    Advise on the broker's settings.
    """
    settings = settings_of()
    warn_of_no_queue(settings)
    problems = broker.check(settings.amqp_url.get_secret_value(), settings.topology)
    harm, advised, unseen = _seen(settings)
    problems += harm
    if as_json:
        print(json.dumps({"problems": problems, "advice": advised, "unseen": unseen}))
    else:
        queues = len(settings.topology.queues)
        print("\n".join(problems) or f"all {queues} queues are there and as they should be")
        for line in advised:
            print(f"advice: {line}")
        if unseen:
            typer.echo(unseen, err=True)
    raise typer.Exit(1 if problems else 0)


def _seen(settings: Settings) -> tuple[list[str], list[str], str]:
    """Return what policies take from our queues, what is advised to change, and why neither is known.

    Advice is no problem: XQueue works, and who runs the broker may have reasons.
    """
    management = management_api(settings)
    if management is None:
        return [], [], "the broker's own settings and policies were not looked at: MANAGEMENT_URL is not set"
    try:
        with management as api:
            queues, graders = api.queues(), bool(settings.amqp_graders)
            advised = advice(api.version(), api.nodes(), queues, has_graders=graders)
            return harm_of_policies(queues), [*advised, *_dead_letters_that_stay(api)], ""
    except (BrokerUnavailableError, ManagementError) as error:
        return [], [], f"the broker's own settings and policies were not looked at: {error}"


def _dead_letters_that_stay(api: Management) -> list[str]:
    before = api.dead_letters()
    if not any(before.values()):
        return []
    time.sleep(STATISTICS_SECONDS)
    return of_dead_letters(before, api.dead_letters())
