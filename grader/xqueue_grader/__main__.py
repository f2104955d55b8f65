"""The command line `xqueue-grader`: tries, serves and makes graders; none of it needs a server."""

import argparse
import sys
from importlib.metadata import PackageNotFoundError, version

from xqueue_grader.making import command as making
from xqueue_grader.sandbox import command as sandbox
from xqueue_grader.trying import command as trying

# Each with what its help says, what adds its arguments, and what runs it.
COMMANDS = {
    "try": (
        "grade one submission, and say what becomes of the reply in Open edX",
        trying.add_arguments,
        trying.try_once,
    ),
    "sandbox": ("serve submissions on this machine, for a grader that polls", sandbox.add_arguments, sandbox.serve),
    "new": ("make a folder with a grader, its tests and a Dockerfile", making.add_arguments, making.make),
}


def main(given: list[str] | None = None) -> None:
    """Run a command, and end with its exit code."""
    parser = argparse.ArgumentParser(
        prog="xqueue-grader", description="Graders for XQueue, tried and made without a server."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (about, add_arguments, run) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=about)
        add_arguments(command)
        command.set_defaults(run=run)
    arguments = parser.parse_args(given)
    try:
        sys.exit(arguments.run(arguments))
    except KeyboardInterrupt:
        sys.exit(130)


def _version() -> str:
    try:
        return version("xqueue-grader")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    main()
