"""The operator's command line, `xqueue-broker`."""

import json
import sys
from typing import Annotated

import typer
from argon2 import PasswordHasher
from rich.console import Console
from rich.table import Table

from broker_setup import declare as broker
from broker_setup.errors import XQueueError
from broker_setup.settings import Settings, load_settings

app = typer.Typer(
    help="Set up and look after the broker that XQueue runs on. Settings: XQUEUE_CFG and XQUEUE_* variables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of text for a person.")]


@app.command()
def declare(as_json: AsJson = False) -> None:
    """Make the exchanges, queues and bindings that are missing; safe to run again."""
    settings = _settings()
    broker.declare(settings.amqp_url.get_secret_value(), settings.topology)
    _print_topology(settings, as_json=as_json)


@app.command()
def check(as_json: AsJson = False) -> None:
    """Say what of the topology is missing or different; exit with 1 if anything is."""
    settings = _settings()
    problems = broker.check(settings.amqp_url.get_secret_value(), settings.topology)
    if as_json:
        print(json.dumps({"problems": problems}))
    elif problems:
        print("\n".join(problems))
    else:
        print(f"all {len(settings.topology.queues)} queues are there and as they should be")
    raise typer.Exit(1 if problems else 0)


@app.command("hash-password")
def hash_password() -> None:
    """Ask for a password and print its hash for USERS, so that the settings hold no plain password."""
    password = typer.prompt("Password", hide_input=True, confirmation_prompt=sys.stdin.isatty(), err=True)
    print(PasswordHasher().hash(password))


def _settings() -> Settings:
    settings, unknown = load_settings()
    if unknown:
        typer.echo(f"these settings mean nothing here: {', '.join(unknown)}", err=True)
    return settings


def _print_topology(settings: Settings, *, as_json: bool) -> None:
    queues = settings.topology.queues
    if as_json:
        print(json.dumps({"queues": [{"name": queue.name, "purpose": queue.purpose} for queue in queues]}))
        return
    table = Table("queue", "holds")
    for queue in queues:
        table.add_row(queue.name, queue.purpose)
    Console().print(table)


def main() -> None:
    """Run the command line; an expected error is one line on stderr and exit code 1."""
    try:
        app()
    except XQueueError as error:
        typer.echo(f"xqueue-broker: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
