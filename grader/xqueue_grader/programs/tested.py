"""A student's program as tests of a pytest file see it: something to run, or to call, in its isolation."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xqueue_grader.programs.isolating import Isolation
from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.program import Program, Ran
from xqueue_grader.programs.running import run
from xqueue_grader.programs.words import failure

CALLING = Path(__file__).with_name("calling.py")
CALLING_AS = "xqueue_calling.py"


class ProgramFailedError(AssertionError):
    """The student's program failed where it was to do something; says how."""


@dataclass(frozen=True)
class TestedProgram:
    """What the fixture `program` is."""

    __test__ = False  # of pytest's: no class of tests

    program: Program
    name: str  # the file of the student's text
    limits: Limits
    isolation: Isolation

    def run(self, stdin: str = "", *arguments: str) -> str:
        """Run it and return what it printed; raise ProgramFailedError if it failed."""
        return self._ran((*self.program.command, *arguments), stdin, self.program).output.decode(errors="replace")

    def call(self, function: str, *arguments: Any, **named: Any) -> Any:
        """Import it, call one of its functions, and return what JSON has of its value; raise ProgramFailedError."""
        order = json.dumps({"function": function, "arguments": arguments, "named": named})
        files = {**self.program.files, CALLING_AS: CALLING.read_bytes()}
        command = (self.program.command[0], CALLING_AS, Path(self.name).stem)
        ran = self._ran(command, f"{order}\n", Program(command, files))
        try:
            return json.loads(ran.output)["value"]
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ProgramFailedError(f"{function} gave no value that JSON can carry") from error

    def _ran(self, command: tuple[str, ...], stdin: str, program: Program) -> Ran:
        ran = run(Program(command, program.files), self.limits, self.isolation, stdin.encode())
        if wrong := failure(ran, self.limits):
            raise ProgramFailedError(wrong)
        return ran
