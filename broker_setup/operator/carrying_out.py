"""Carries out what a command does: the operator agrees first, and where it breaks off, reads what of it is done."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import typer

from broker_setup.errors import BrokerUnavailableError, UnroutableError, XQueueError

T = TypeVar("T")


class InterruptedCommandError(XQueueError):
    """The operator pressed Ctrl-C."""


def agreed(question: str, *, as_json: bool) -> bool:
    """Ask at a terminal, and end the command where the answer is no; a program is told of --yes instead."""
    if as_json or not sys.stdin.isatty():
        typer.echo("nothing was done; --yes does it", err=True)
        return False
    typer.confirm(question, abort=True, err=True)
    return True


def carry_out(work: Coroutine[Any, Any, T], so_far: Callable[[], str]) -> T:
    """Return what `work` does; an error, or Ctrl-C, says by `so_far` what is done and what becomes of the rest."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        raise InterruptedCommandError(f"interrupted; {so_far()}") from None
    except (BrokerUnavailableError, UnroutableError) as error:
        raise type(error)(f"{error}; {so_far()}") from error
