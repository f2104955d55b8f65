"""Who acts: the name that stands in the ledger beside what an operator did."""

import getpass
import os
import socket
from typing import Annotated

import typer

from broker_setup.errors import ArgumentError
from broker_setup.ledger.events import MAX_BY

By = Annotated[
    str | None, typer.Option(help="Your name, for the ledger; the system's user@host without.", show_default=False)
]


def who_acts(by: str | None) -> str:
    """Return the name that was given, or the system's; raise ArgumentError for one that no list could show."""
    if by is None:
        return f"{_user()}@{socket.gethostname()}"[:MAX_BY]
    name = by.strip()
    if not name or not name.isprintable() or len(name) > MAX_BY:
        raise ArgumentError(f"--by {by!r} is no name: give 1 to {MAX_BY} printable characters")
    return name


def _user() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # in a container its number may be all that a user has
        name = str(os.getuid())
    return "".join(character for character in name if character.isprintable())
