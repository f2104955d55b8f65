"""`declare` and `check`: the exchanges, queues and bindings, and what to change at the broker itself."""

import json

import typer
from rich.table import Table

from broker_setup.errors import BrokerUnavailableError, ManagementError
from broker_setup.operator.console import AsJson, add_row, settings_of, show_table, warn_of_no_queue
from broker_setup.operator.management_api import management_api
from broker_setup.operator.setup import declare as broker
from broker_setup.operator.setup.broker_advice import advice
from broker_setup.operator.setup.policy import put_policy_if_possible
from broker_setup.settings import Settings


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
    """Say what of the topology is missing or different; exit with 1 if anything is. Advise on the broker's settings."""
    settings = settings_of()
    warn_of_no_queue(settings)
    problems = broker.check(settings.amqp_url.get_secret_value(), settings.topology)
    advised, unseen = _advice(settings)
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


def _advice(settings: Settings) -> tuple[list[str], str]:
    """Return what is advised to change at the broker, and why that is not known; one of the two is empty.

    Advice is no problem: XQueue works, and who runs the broker may have reasons.
    """
    management = management_api(settings)
    if management is None:
        return [], "the broker's own settings were not looked at: MANAGEMENT_URL is not set"
    try:
        with management as api:
            graders = bool(settings.amqp_graders)
            return advice(api.version(), api.nodes(), api.queues(), has_graders=graders), ""
    except (BrokerUnavailableError, ManagementError) as error:
        return [], f"the broker's own settings were not looked at: {error}"
