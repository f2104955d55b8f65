"""All commands of `xqueue-broker`, and what is said where one fails."""

import logging
import sys
from errno import ENOSPC
from typing import Annotated

import typer

from broker_setup.errors import BrokerUnreachableError, XQueueError
from broker_setup.operator.archive.command import archive
from broker_setup.operator.backup.export_command import export
from broker_setup.operator.backup.import_command import import_
from broker_setup.operator.check_settings.command import check_settings
from broker_setup.operator.completion import completion
from broker_setup.operator.count.command import count
from broker_setup.operator.import_legacy.command import import_legacy
from broker_setup.operator.migrate.command import migrate
from broker_setup.operator.parked.command import parked
from broker_setup.operator.pause.command import pause, resume
from broker_setup.operator.plain_help import PlainTyper
from broker_setup.operator.prune.command import prune_files
from broker_setup.operator.regrade.command import regrade
from broker_setup.operator.results.command import results
from broker_setup.operator.retire.command import retire
from broker_setup.operator.setup.declare_command import check, declare
from broker_setup.operator.setup.hash_password import hash_password
from broker_setup.operator.setup.setup_command import setup
from broker_setup.operator.trace.command import trace
from broker_setup.process.command_line import our_version
from broker_setup.settings import load_settings
from broker_setup.visible import visible

# Wrong settings are some lines.
_LINE_END = "\n"
# What typer makes of Ctrl-C; no command of ours ends with it.
INTERRUPTED = 130

app = PlainTyper(
    help="Set up and look after the broker that XQueue runs on. Settings: XQUEUE_CFG and XQUEUE_* variables.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="markdown",  # the other modes keep the ends of lines of a docstring
)


def _show_version(value: bool) -> None:  # noqa: FBT001 - typer's own way
    if value:
        typer.echo(f"xqueue-broker {our_version()}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before a command."""


app.command()(setup)
app.command()(declare)
app.command()(check)
app.command()(count)
app.command()(trace)
app.command()(retire)
app.command()(pause)
app.command()(resume)
app.command()(regrade)
app.command("prune-files")(prune_files)
app.command()(migrate)
app.command()(export)
app.command("import")(import_)
app.command("import-legacy")(import_legacy)
app.command("hash-password")(hash_password)
app.command("check-settings")(check_settings)
app.command()(completion)
app.add_typer(archive, name="archive")
app.add_typer(parked, name="parked")
app.add_typer(results, name="results")


def run() -> None:
    """Run the command line; an expected error is one line on stderr and exit code 1.

    Raise KeyboardInterrupt where somebody pressed Ctrl-C and the command had nothing to say about that.
    """
    # What a command has to say, it says itself; a lost connection is an error of its own.
    logging.basicConfig(handlers=[logging.NullHandler()])
    try:
        app(prog_name="xqueue-broker")
    except SystemExit as end:
        if end.code == INTERRUPTED:
            raise KeyboardInterrupt from None
        raise
    except BrokerUnreachableError as error:
        _say(f"{error}{_hint()}")
        sys.exit(1)
    except XQueueError as error:
        _say(str(error))
        sys.exit(1)
    except OSError as error:  # what is written where nobody expects it to fail: the answer itself, into a file
        if error.errno != ENOSPC:
            raise
        _say("no space is left where something had to be written, be it this answer")
        sys.exit(1)


def _say(what: str) -> None:
    # An error may quote what a stranger wrote.
    typer.echo(f"xqueue-broker: {visible(what, keep=_LINE_END)}", err=True)


def _hint() -> str:
    if "amqp_url" in load_settings()[0].model_fields_set:
        return ""
    return "; set XQUEUE_AMQP_URL (nothing was set, so this is the default)"
