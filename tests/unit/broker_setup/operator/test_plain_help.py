"""`--help` says of each option whether something stands behind it."""

import re
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from broker_setup.operator.command_line import app

CLI = CliRunner()


def commands() -> list[tuple[str, ...]]:
    top: Any = typer.main.get_command(app)
    inside = [(group, name) for group, each in top.commands.items() for name in getattr(each, "commands", ())]
    return [(), *((name,) for name in top.commands), *inside]


def said(*command: str) -> str:
    ran = CLI.invoke(app, [*command, "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert ran.exit_code == 0
    return ran.stdout


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_no_option_is_shown_with_a_type_of_pythons(command: tuple[str, ...]) -> None:
    assert re.findall(r"--\S+ +<[^>]*>", said(*command)) == []


def test_a_flag_takes_nothing_and_other_options_say_what_they_take() -> None:
    lines = {words[0]: words[1:] for line in said("retire").splitlines() if (words := line.strip("│ *").split())}
    assert lines["--yes"][:2] == ["Do", "it;"]
    assert lines["--before"][0] == "TEXT"
    assert "--limit NUMBER [x>=1]" in " ".join(said("parked", "redrive").split())


def test_an_argument_has_the_name_that_the_docs_give_it() -> None:
    assert "retire [OPTIONS] {QUEUE}" in said("retire")
    assert "count [OPTIONS] [QUEUES]..." in said("count")
