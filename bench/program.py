"""Runs what `make` calls here as a command line: options from a function, one sentence for what went wrong."""

import sys
from collections.abc import Callable

import typer


def run(name: str, main: Callable[..., None], *failures: type[Exception]) -> None:
    """Run `main` with the options of the command line; one of `failures` is a sentence, and exit code 1."""
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    try:
        app()
    except failures as error:
        sys.exit(f"{name}: {error}")
