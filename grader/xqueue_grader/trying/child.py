"""The process in which a grader's file is tried: it may crash, hang or print, and what it costs is its own.

It is run with the file, the function's name ("" if nobody named one) and the path of a file for what came of it; the
submission comes by standard input.
"""

import importlib.util
import json
import os
import resource
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import xqueue_grader
from xqueue_grader import running
from xqueue_grader.pools import Grade
from xqueue_grader.submission import Submission
from xqueue_grader.trying.in_process import graded

# Where it is said in bytes, and not in KiB.
_BYTES = sys.platform == "darwin"


@dataclass
class Outcome:
    """What came of it: a reply, or why there is none; seconds, and bytes of memory at most and before it began.

    `no_function` says why nothing was tried.
    """

    reply: str | None = None  # each byte a character
    failed: str = ""
    no_function: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0
    memory_before: int = 0


class NoFunctionError(Exception):
    """The file has no function to try; the text says what to do."""


def main() -> None:
    """Try it once, and tell."""
    file, name, told = (Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    submission = Submission(**json.load(sys.stdin))
    outcome = Outcome()
    try:
        _try(function_in(file, name), submission, outcome)
    except NoFunctionError as error:
        outcome.no_function = str(error)
    except BaseException as error:  # noqa: BLE001 - whatever it was, it is told
        traceback.print_exc()
        outcome.failed = f"it raised {type(error).__name__}: {error}"
    told.write_text(json.dumps(asdict(outcome)), encoding="ascii")


def function_in(file: Path, name: str) -> Grade:
    """Import a grader's file, which starts no grader, and return its function; raise NoFunctionError."""
    given: list[Grade] = []

    def run(grade: Grade, *_: Any, **__: Any) -> None:
        given.append(grade)

    running.run = xqueue_grader.run = run
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise NoFunctionError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    function = getattr(module, name or "grade", None) or (None if name else next(iter(given), None))
    if not callable(function):
        wanted = name or "grade"
        raise NoFunctionError(f"{file} has no function {wanted!r}: name it, as {file}:FUNCTION")
    return function


def _try(grade: Grade, submission: Submission, outcome: Outcome) -> None:
    outcome.memory_before = _memory()
    began, cpu = perf_counter(), _cpu()
    try:
        outcome.reply = graded(grade, submission).decode("latin-1")
    finally:
        outcome.seconds, outcome.cpu_seconds = perf_counter() - began, _cpu() - cpu
        outcome.memory = _memory()


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _memory() -> int:
    """Return what this process, or the largest of its children that have ended, has needed at most."""
    most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return most if _BYTES else most * 1024


if __name__ == "__main__":
    main()
