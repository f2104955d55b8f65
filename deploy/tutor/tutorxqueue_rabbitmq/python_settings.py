"""Reads the patch `xqueue-settings`: Python for the XQueue from before, of which nothing is run."""

import ast
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

# Those of the original that mean the same to us.
CARRIED_OVER = (
    "GRADING_TIMEOUT",
    "LOCAL_LOGLEVEL",
    "LOG_LEVEL",
    "MAX_NUMBER_OF_FAILURES",
    "REQUESTS_BASIC_AUTH",
    "REQUESTS_TIMEOUT",
    "SUBMISSION_PROCESSING_DELAY",
    "UPLOAD_URL_EXPIRE",
    "USERS",
    "XQUEUES",
)


class WrongPatchError(ValueError):
    """A patch that can't be read at all."""


class _NotUnderstoodError(Exception):
    pass


@dataclass
class Reading:
    """What a patch sets, and what of it is not carried over."""

    values: dict[str, Any]
    meaningless: list[str] = field(default_factory=list)
    not_understood: list[str] = field(default_factory=list)


def read_python(patch: str, given: Mapping[str, Any]) -> Reading:
    """Read assignments of plain values, and changes to the maps that stand in `given`, in their order."""
    try:
        statements = ast.parse(patch).body
    except (SyntaxError, ValueError) as error:
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) else ""
        raise WrongPatchError(f"the patch xqueue-settings is no Python: {where}{error.args[0]}") from None
    values = deepcopy(dict(given))
    reading = Reading(values)
    for statement in statements:
        try:
            _follow(statement, values)
        except _NotUnderstoodError:
            reading.not_understood.append(f"line {statement.lineno}, {_beginning(statement)}")
    reading.meaningless = sorted(name for name in values if name not in CARRIED_OVER)
    reading.values = {name: value for name, value in values.items() if name in CARRIED_OVER}
    return reading


def _follow(statement: ast.stmt, values: dict[str, Any]) -> None:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            pass
        case ast.Assign(targets=targets, value=node):
            for target in targets:
                _assign(target, _literal(node), values)
        case ast.AnnAssign(target=target, value=ast.expr() as node):
            _assign(target, _literal(node), values)
        case ast.AugAssign(target=ast.Name(id=name), op=ast.BitOr(), value=node):
            _map(name, values).update(_literal_map(node))
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="update"), args=[node], keywords=[])
        ):
            _map(name, values).update(_literal_map(node))
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="pop"), args=[node, *_])):
            _map(name, values).pop(_key(node), None)
        case ast.Delete(targets=[ast.Subscript(value=ast.Name(id=name), slice=node)]):
            _map(name, values).pop(_key(node), None)
        case _:
            raise _NotUnderstoodError


def _assign(target: ast.expr, value: Any, values: dict[str, Any]) -> None:
    match target:
        case ast.Name(id=name):
            values[name] = deepcopy(value)
        case ast.Subscript(value=ast.Name(id=name), slice=node):
            _map(name, values)[_key(node)] = value
        case _:
            raise _NotUnderstoodError


def _map(name: str, values: Mapping[str, Any]) -> dict[Any, Any]:
    found = values.get(name)
    if not isinstance(found, dict):
        raise _NotUnderstoodError
    return found


def _literal(node: ast.expr) -> Any:
    try:
        value = ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise _NotUnderstoodError from None
    return list(value) if isinstance(value, tuple | set) else value


def _key(node: ast.expr) -> str | int:
    key = _literal(node)
    if not isinstance(key, str | int):
        raise _NotUnderstoodError
    return key


def _literal_map(node: ast.expr) -> dict[Any, Any]:
    value = _literal(node)
    if not isinstance(value, dict):
        raise _NotUnderstoodError
    return value


def _beginning(statement: ast.stmt) -> str:
    """Name a statement by how it begins: what follows may be a password."""
    match statement:
        case ast.Assign(targets=[target, *_]) | ast.AnnAssign(target=target) | ast.AugAssign(target=target):
            return f"`{ast.unparse(target).partition('[')[0]} ...`"
        case ast.Expr(value=ast.Call(func=function)):
            return f"`{ast.unparse(function).partition('(')[0]}(...)`"
        case _:
            return f"`{ast.unparse(statement).split(maxsplit=1)[0]} ...`"
