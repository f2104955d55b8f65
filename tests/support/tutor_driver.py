"""Runs Tutor's command line, several commands in one process, since to import it takes a second.

Run by the Python that Tutor is installed in: a JSON list of commands on stdin, each {"args": [...], "env": {...}}, and
one of what each printed on stdout. In arguments {id} and {key} are those of the submission that was shown last.
"""

import contextlib
import io
import json
import os
import sys
from typing import Any

from tutor import hooks
from tutor.commands.cli import cli
from tutor.exceptions import TutorError


def run(args: list[str]) -> dict[str, Any]:
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli(args=args, prog_name="tutor")
        except SystemExit as end:
            code = end.code or 0
        except TutorError as error:
            print(f"Error: {error.args[0]}", file=sys.stderr)
            code = 1
        except Exception as error:  # noqa: BLE001 - as whoever types the command would see it
            print(f"Traceback: {error!r}", file=sys.stderr)
            code = 1
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


def main() -> None:
    hooks.Actions.CORE_READY.do()
    results: list[dict[str, Any]] = []
    shown = {"id": "", "key": ""}
    for command in json.load(sys.stdin):
        os.environ.update(command.get("env", {}))
        result = run([arg.replace("{id}", str(shown["id"])).replace("{key}", shown["key"]) for arg in command["args"]])
        with contextlib.suppress(ValueError, KeyError, TypeError):
            said = json.loads(result["out"])
            shown = {"id": said["id"], "key": said["key"]}
        for name in command.get("env", {}):
            del os.environ[name]
        results.append(result)
    json.dump(results, sys.stdout)


main()
