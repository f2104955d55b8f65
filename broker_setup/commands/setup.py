"""`declare`, `check` and `hash-password`: what is needed before anything runs."""

import json
import sys

import typer
from argon2 import PasswordHasher
from rich.table import Table

from broker_setup import declare as broker
from broker_setup.commands.console import AsJson, settings_of, show_table, warn_of_no_queue
from broker_setup.errors import ArgumentError


def declare(as_json: AsJson = False) -> None:
    """Make the exchanges, queues and bindings that are missing; safe to run again."""
    settings = settings_of()
    warn_of_no_queue(settings)
    broker.declare(settings.amqp_url.get_secret_value(), settings.topology)
    queues = settings.topology.queues
    if as_json:
        print(json.dumps({"queues": [{"name": queue.name, "purpose": queue.purpose} for queue in queues]}))
        return
    table = Table("queue", "holds")
    for queue in queues:
        table.add_row(queue.name, queue.purpose)
    show_table(table)


def check(as_json: AsJson = False) -> None:
    """Say what of the topology is missing or different; exit with 1 if anything is."""
    settings = settings_of()
    warn_of_no_queue(settings)
    problems = broker.check(settings.amqp_url.get_secret_value(), settings.topology)
    if as_json:
        print(json.dumps({"problems": problems}))
    elif problems:
        print("\n".join(problems))
    else:
        print(f"all {len(settings.topology.queues)} queues are there and as they should be")
    raise typer.Exit(1 if problems else 0)


def hash_password() -> None:
    """Ask for a password, or read a line from a pipe, and print its hash for USERS: no plain password stands there."""
    if sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:  # a prompt would ask the terminal, where there is one
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise ArgumentError("there was no password to read: type it, or pipe in one line")
    print(PasswordHasher().hash(password))
