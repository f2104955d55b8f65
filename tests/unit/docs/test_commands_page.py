"""docs/reference/commands.md has every command of `xqueue-broker`, with its arguments and options."""

from typing import Any

import pytest
import typer

from broker_setup.operator.command_line import app
from tests.support.project import quoted, table_rows, text

PAGE = text("docs/reference/commands.md")
SECTIONS = dict(part.split("\n", 1) for part in PAGE.split("\n## ")[1:])


def commands_of(group: Any, before: str = "") -> dict[str, Any]:
    """The commands by their whole names, those of groups among them."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        found |= commands_of(command, f"{name} ") if hasattr(command, "commands") else {before + name: command}
    return found


COMMANDS = commands_of(typer.main.get_command(app))


def parameters(name: str) -> list[str]:
    """The arguments, in capitals, and the options of a command."""
    return [
        parameter.opts[0] if parameter.param_type_name == "option" else parameter.name.upper()
        for parameter in COMMANDS[name].params
        if parameter.name != "help"
    ]


def test_every_command_has_a_section_and_every_section_is_a_command() -> None:
    assert list(SECTIONS) == list(COMMANDS)


def test_the_list_at_the_top_has_them_all() -> None:
    head = PAGE.split("\n## ")[0]
    assert [quoted(row[0])[0] for row in table_rows(head)] == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_names_each_argument_and_option(name: str) -> None:
    assert [each for each in parameters(name) if f"`{each}`" not in SECTIONS[name]] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_section_shows_how_it_looks(name: str) -> None:
    assert f"\n    $ xqueue-broker {name}" in SECTIONS[name]


@pytest.mark.parametrize("name", ["trace", "retire", *(name for name in COMMANDS if name.startswith("parked "))])
def test_a_table_of_options_has_them_in_the_codes_order(name: str) -> None:
    assert [quoted(row[0])[0] for row in table_rows(SECTIONS[name])] == parameters(name)
