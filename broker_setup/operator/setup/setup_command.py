"""`setup`: the topology, and the broker's users, with no more rights than each needs."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from broker_setup.link.broker_url import url_for
from broker_setup.operator.console import AsJson, add_row, settings_of, show_table, warn_of_no_queue
from broker_setup.operator.management_api import Management, management_api
from broker_setup.operator.setup import declare as broker
from broker_setup.operator.setup.broker_advice import lacks_nodes
from broker_setup.operator.setup.making_users import Change, changes, make
from broker_setup.operator.setup.policy import put_policy
from broker_setup.operator.setup.policy_plan import standing_of
from broker_setup.rights import broker_users
from broker_setup.settings import Settings


def setup(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing, say what would be; exit 1 if anything.")
    ] = False,
    rotate: Annotated[
        list[str] | None, typer.Option(metavar="USER", help="Give this user a new password.", show_default=False)
    ] = None,
    nodes: Annotated[
        int, typer.Option(min=1, metavar="NUMBER", help="Do nothing as long as fewer nodes of the broker run.")
    ] = 1,
    as_json: AsJson = False,
) -> None:
    """Declare the topology and make the broker's users, with their rights; safe to run again.

    A policy, which arguments can't replace on queues that are there, parks what comes back too often.

    AMQP_URL has to be an account that may configure, MANAGEMENT_URL an administrator's. Passwords stand in
    BROKER_PASSWORDS, or are made up and shown this once.
    """
    settings = settings_of(require=("MANAGEMENT_URL",))
    warn_of_no_queue(settings)
    url = settings.amqp_url.get_secret_value()
    management = management_api(settings)
    assert management is not None
    with management as api:
        if too_few := lacks_nodes(api.nodes(), nodes):
            typer.echo(too_few, err=True)
            raise typer.Exit(1)
        plan = changes(
            broker_users(settings.broker_users, settings.amqp_graders),
            api.users(),
            api.rights(),
            {name: password.get_secret_value() for name, password in settings.broker_passwords.items()},
            rotate or (),
            limits=api.limits(),
        )
        if check:
            _tell_plan(plan, _missing(settings, api), as_json=as_json)
            return
        broker.declare(url, settings.topology)
        put_policy(api)
        done: list[Change] = []
        try:
            for change in plan:
                # Before it is done: of a password that was set, and lost with a broken connection, nobody would know.
                done.append(change)
                make(change, api)
        finally:
            _tell(settings, done, as_json=as_json)


def _missing(settings: Settings, api: Management) -> list[str]:
    problems = broker.check(settings.amqp_url.get_secret_value(), settings.topology)
    there, policy = api.bindings(), standing_of(api.policies())
    if policy.others:
        typer.echo(policy.in_words, err=True)
    elif policy.in_words:
        problems.append(policy.in_words)
    return problems + [
        f"binding of queue {binding.queue!r} to exchange {binding.exchange!r} is missing: run `xqueue-broker declare`"
        for binding in settings.topology.bindings
        if (binding.exchange, binding.queue, binding.routing_key) not in there
    ]


def _tell_plan(plan: Sequence[Change], problems: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        users = [{"name": change.name, "purpose": change.purpose, "would": list(change.did)} for change in plan]
        print(json.dumps({"problems": list(problems), "users": users}))
    else:
        _show(plan, "would be")
        print("\n".join(problems) or "all exchanges, queues and bindings are there and as they should be")
    raise typer.Exit(1 if problems or any(change.did for change in plan) else 0)


def _tell(settings: Settings, done: Sequence[Change], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"users": [_as_dict(settings, change) for change in done]}))
        return
    _show(done, "was")
    print(f"{len(settings.topology.queues)} queues are declared")
    fresh = [change for change in done if change.shown]
    if fresh:
        print("\nThese passwords were made up and are shown only now:")
    for change in fresh:
        print(f"{change.name}: {_login(settings, change)}")


def _show(plan: Sequence[Change], verb: str) -> None:
    table = Table("user", "for", verb)
    for change in plan:
        add_row(table, change.name, change.purpose, ", ".join(change.did) or "as it should be")
    show_table(table)


def _login(settings: Settings, change: Change) -> str:
    """Return how to log in: an AMQP URL, or the management UI's password for who has no rights over AMQP."""
    assert change.wanted is not None
    assert change.password is not None
    if not (change.wanted.rights.read or change.wanted.rights.write):
        return f"password {change.password}, at the management UI"
    return url_for(settings.amqp_url.get_secret_value(), change.name, change.password)


def _as_dict(settings: Settings, change: Change) -> dict[str, Any]:
    told: dict[str, Any] = {"name": change.name, "purpose": change.purpose, "did": list(change.did)}
    if change.shown:
        told |= {
            "password": change.password,
            "amqp_url": url_for(settings.amqp_url.get_secret_value(), change.name, change.password or ""),
        }
    return told
