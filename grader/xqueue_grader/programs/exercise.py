"""An exercise: a folder with `exercise.toml`, which says what is run, within what limits, and what is right."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_origin

from xqueue_grader.programs.checks import check_for
from xqueue_grader.programs.limits import Limits, LimitsError, limits_from

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
MOST_BYTES = 4 * 1024 * 1024  # of a file that an exercise refers to


class ExerciseError(Exception):
    """An author's mistake: says in which exercise, and what is wrong."""


@dataclass(frozen=True)
class Case:
    """One run: what the program reads and is called with, and what it is to print."""

    name: str
    input: str = ""
    output: str = ""
    arguments: tuple[str, ...] = ()
    weight: float = 1.0
    hidden: bool = False


@dataclass(frozen=True)
class Exercise:
    """What `exercise.toml` says; paths are names of files in its folder."""

    folder: Path
    command: tuple[str, ...] = ("python3", "program.py")
    program: str = "program.py"  # the name that the student's text gets
    files: tuple[str, ...] = ()  # what the program may read beside
    compare: str = "text"
    tolerance: float = 1e-6
    checker: str = ""  # a Python file that judges in place of `compare`
    pytest: str = ""  # a file of tests in place of cases
    pytest_seconds: int = 120
    limits: Limits = field(default_factory=Limits)
    cases: tuple[Case, ...] = ()

    def read(self, name: str) -> bytes:
        """Read a file of the exercise; raise ExerciseError where that can't be."""
        path = self.folder / name
        if "/" in name or name in {"", ".", ".."}:
            raise ExerciseError(f"{self.folder.name}: {name!r} is no file in the exercise's own folder")
        try:
            with path.open("rb") as file:
                content = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise ExerciseError(f"{self.folder.name}: {name}: {error.strerror}") from error
        if len(content) > MOST_BYTES:
            raise ExerciseError(f"{self.folder.name}: {name} has more than {MOST_BYTES} bytes")
        return content


def named(exercises: Path, name: object) -> Exercise:
    """Load the exercise that a problem names, from the folder of all; raise ExerciseError."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ExerciseError(f"{str(name)[:100]!r} is no name of an exercise: letters, digits, - and _")
    return load(exercises / name)


def load(folder: Path) -> Exercise:
    """Read a folder's `exercise.toml`; raise ExerciseError with what is wrong in it."""
    try:
        table = tomllib.loads((folder / "exercise.toml").read_text(encoding="utf-8"))
        return exercise_from(table, folder)
    except OSError as error:
        raise ExerciseError(f"{folder.name}: exercise.toml: {error.strerror}") from error
    except (ValueError, TypeError, LimitsError) as error:
        raise ExerciseError(f"{folder.name}: exercise.toml: {error}") from error


def exercise_from(table: Mapping[str, Any], folder: Path) -> Exercise:
    """Make an exercise of a table; raise ValueError, or ExerciseError for a file that it names."""
    values = checked(table, Exercise, "the exercise")
    values["limits"] = limits_from(table.get("limits", {}))
    values["cases"] = ()
    exercise = Exercise(**{**values, "folder": folder})
    cases = tuple(case_from(case, number, exercise) for number, case in enumerate(table.get("cases", []), 1))
    whole = Exercise(**{**values, "folder": folder, "cases": cases})
    complain(whole)
    return whole


def complain(exercise: Exercise) -> None:
    """Raise ValueError where the parts don't go together."""
    if bool(exercise.cases) == bool(exercise.pytest):
        raise ValueError("give either [[cases]] or pytest, the name of a file of tests")
    if exercise.checker and exercise.pytest:
        raise ValueError("checker judges cases, and there are none beside pytest")
    if check_for(exercise.compare, exercise.tolerance) is None:
        raise ValueError(f"compare is {exercise.compare!r}; there are text, words, numbers and exact")
    if exercise.program in exercise.files:
        raise ValueError(f"{exercise.program} is the student's own, and no file beside")
    for name in (*exercise.files, *filter(None, (exercise.checker, exercise.pytest))):
        exercise.read(name)


def case_from(table: Mapping[str, Any], number: int, exercise: Exercise) -> Case:
    """Make one case; `input_file` and `output_file` are read in place of texts."""
    texts = {}
    for key in ("input", "output"):
        if f"{key}_file" in table:
            if key in table:
                raise ValueError(f"case {number} has both {key} and {key}_file")
            texts[key] = exercise.read(table[f"{key}_file"]).decode()
    rest = {key: value for key, value in table.items() if key not in {"input_file", "output_file"}}
    values = checked({"name": f"Test {number}", **rest, **texts}, Case, f"case {number}")
    if not 0 < values.get("weight", 1) < 1e9:  # noqa: PLR2004
        raise ValueError(f"case {number} has the weight {values['weight']!r}: give a number above 0")
    return Case(**values)


KINDS: dict[object, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (int, float)}


def checked(table: Mapping[str, Any], kind: type[Exercise | Case], what: str) -> dict[str, Any]:
    """Take those values of a table that a dataclass has; raise ValueError for others, and for wrong kinds."""
    known = {each.name: each.type for each in fields(kind) if each.name != "folder"}
    if unknown := sorted(table.keys() - known.keys()):
        raise ValueError(f"{what} has no {unknown[0]!r}; there are {', '.join(sorted(known))}")
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key == "limits":
            right = isinstance(value, dict)
        elif get_origin(known[key]) is tuple:
            right = isinstance(value, list) and all(isinstance(each, dict if key == "cases" else str) for each in value)
        else:
            right = isinstance(value, KINDS[known[key]]) and isinstance(value, bool) == (known[key] is bool)
        if not right:
            raise ValueError(f"{what}: {key} can not be {value!r}")
        values[key] = tuple(value) if isinstance(value, list) else value
    return values
