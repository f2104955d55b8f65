"""What an operator means by `--where`: conditions on what is archived of a submission; no I/O."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from broker_setup.archive.entries import Kept
from broker_setup.archive.scores import score_of
from broker_setup.errors import ArgumentError

Condition = Callable[[Kept], bool]

_CONDITION = re.compile(r"([\w.-]+)(<=|>=|!=|=|~|<|>)(.*)", re.DOTALL)
_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda value, bound: value < bound,
    ">": lambda value, bound: value > bound,
    "<=": lambda value, bound: value <= bound,
    ">=": lambda value, bound: value >= bound,
}
# A JSON text within a JSON text, as Open edX writes what it knows of the student, and so on.
_DEEPEST = 4


def student_of(kept: Kept) -> str:
    """Return the anonymous id by which Open edX names the student, "" where there is none."""
    value = value_at(kept.submission.body, ["student_info", "anonymous_student_id"])
    return value if isinstance(value, str) else ""


_OWN: Mapping[str, Callable[[Kept], object]] = {
    "uuid": lambda kept: kept.submission.uuid,
    "url": lambda kept: kept.submission.url,
    "body": lambda kept: kept.submission.body,
    "score": lambda kept: score_of(kept.first_result).score if kept.first_result else None,
    "correct": lambda kept: score_of(kept.first_result).correct if kept.first_result else None,
    "grader": lambda kept: kept.first_result.grader if kept.first_result else None,
    "student": student_of,
}


def condition_of(text: str) -> Condition:
    """Read `NAME=VALUE`; raise ArgumentError for what is none."""
    read = _CONDITION.fullmatch(text)
    if not read:
        raise ArgumentError(
            f"--where {text!r} is no condition: give NAME=VALUE, NAME!=VALUE, NAME~PART or NAME<NUMBER (>, <=, >=)"
        )
    name, operator, wanted = read.groups()
    find = _OWN.get(name) or _in_body(name)
    if operator in _NUMBERS:
        return _compared(find, _NUMBERS[operator], _number(text, wanted))
    if operator == "~":
        return lambda kept: wanted.lower() in _text(find(kept)).lower()
    is_equal = _equal(wanted)
    return lambda kept: is_equal(find(kept)) == (operator == "=")


def all_of(conditions: Iterable[Condition]) -> Condition:
    """Make one condition of several, which all have to hold."""
    together = tuple(conditions)
    return lambda kept: all(condition(kept) for condition in together)


def value_at(text: str, path: list[str]) -> object:
    """Return what stands at a path in JSON, whose texts may be JSON again; None where nothing does."""
    value: Any = text
    for depth, name in enumerate(path):
        if isinstance(value, str) and depth < _DEEPEST:
            try:
                value = json.loads(value)
            except (ValueError, RecursionError):
                return None
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _in_body(name: str) -> Callable[[Kept], object]:
    path = name.split(".")
    return lambda kept: value_at(kept.submission.body, path)


def _compared(
    find: Callable[[Kept], object], holds: Callable[[float, float], bool], bound: float
) -> Callable[[Kept], bool]:
    def is_so(kept: Kept) -> bool:
        value = find(kept)
        return isinstance(value, int | float) and not isinstance(value, bool) and holds(float(value), bound)

    return is_so


def _equal(wanted: str) -> Callable[[object], bool]:
    def is_equal(value: object) -> bool:
        if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                return float(wanted) == value
            except ValueError:
                return False
        return _text(value) == wanted

    return is_equal


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _number(text: str, wanted: str) -> float:
    try:
        return float(wanted)
    except ValueError:
        raise ArgumentError(f"--where {text!r}: {wanted!r} is no number") from None
