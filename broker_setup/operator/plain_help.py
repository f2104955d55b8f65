"""How `--help` shows options and arguments: a flag takes nothing, an argument stands in capitals, as in the docs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup

F = TypeVar("F", bound=Callable[..., Any])


class PlainTyper(typer.Typer):
    """A command line, or a group of commands in it, with plain help."""

    def __init__(self, **options: Any) -> None:
        """Make it with typer's own options."""
        super().__init__(cls=_PlainGroup, **options)

    def command(self, *arguments: Any, **options: Any) -> Callable[[F], F]:
        """Make a function a command, as typer does."""
        return super().command(*arguments, cls=_PlainCommand, **options)


class _PlainCommand(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))


class _PlainGroup(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _plain(super().get_params(ctx))


def _plain(parameters: Sequence[Any]) -> list[Any]:
    for parameter in parameters:
        if parameter.metavar is None:
            parameter.metavar = _said_of(parameter)
    return list(parameters)


def _said_of(parameter: Any) -> str | None:
    # Left to itself typer says `--yes <bool>`, after which people type `--yes true`, and `<str>`.
    if isinstance(parameter, TyperArgument):
        return parameter.name.upper()
    if parameter.is_flag:
        return ""
    if parameter.type_descriptor.is_choice:
        return None  # they stand there
    return {int: "NUMBER", float: "NUMBER", Path: "FILE"}.get(parameter.type_descriptor.annotation, "TEXT")
