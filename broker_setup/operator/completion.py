"""`completion`: what a shell has to read so that it completes our commands."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script

# What typer's option --show-completion does, which `add_completion` brings beside one that writes into ~/.bashrc; it
# also has the command answer what the printed script asks of it.
completion_init()


class Shell(StrEnum):
    """The shells that Debian's users have."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


# The services take nothing else.
_OF_SERVICES: Mapping[Shell, str] = {
    Shell.BASH: 'complete -W "--help --version" xqueue-gateway xqueue-relay xqueue-passive xqueue-upstream '
    "xqueue-console",
    Shell.ZSH: "_xqueue_service() { _arguments '--help' '--version'; }\n"
    "compdef _xqueue_service xqueue-gateway xqueue-relay xqueue-passive xqueue-upstream xqueue-console",
    Shell.FISH: "complete --command xqueue-gateway --command xqueue-relay --command xqueue-passive "
    '--command xqueue-upstream --command xqueue-console --no-files --arguments "--help --version"',
}


def completion(shell: Annotated[Shell, typer.Argument(help="The shell that is to complete.")]) -> None:
    """Print what bash, zsh or fish reads at its start to complete XQueue's commands, their options and arguments."""
    ours = get_completion_script(prog_name="xqueue-broker", complete_var="_XQUEUE_BROKER_COMPLETE", shell=shell)
    print(f"{ours}\n{_OF_SERVICES[shell]}")
