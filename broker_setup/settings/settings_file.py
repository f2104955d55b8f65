"""Reads the file that XQUEUE_CFG names: YAML, or the JSON of older sites; says what it is if it is something else."""

import ast
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from broker_setup.errors import SettingsError

_KEY = "XQUEUE_CFG"


def read_settings_file(path: str | None, known: Collection[str]) -> dict[str, Any]:
    """Return what the file maps; nothing where no file is named, or it is empty. Raise SettingsError."""
    if not path:
        return {}
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SettingsError(f"{_KEY}: can't read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{_KEY}: {path} is not YAML: {_without_the_text(error)}") from None
    try:
        content = _parsed(text)
    except (yaml.YAMLError, UnicodeEncodeError, ValueError, RecursionError) as error:
        if python := _python(path, text, known):
            raise SettingsError(python) from None
        raise SettingsError(f"{_KEY}: {path} is not YAML: {_without_the_text(error)}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        what = _python(path, text, known) or f"{_KEY}: {path} must map names of settings to values"
        raise SettingsError(what)
    return content


def _parsed(text: str) -> Any:
    # JSON first: YAML takes most of it, but no tabs.
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            pass
    return yaml.safe_load(text)


def _without_the_text(error: Exception) -> str:
    # PyYAML's own message quotes the line, which may hold a password.
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem} in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is no UTF-8"
    return str(error).split("\n", maxsplit=1)[0] if isinstance(error, yaml.YAMLError) else "it can't be parsed"


def _python(path: str, text: str, known: Collection[str]) -> str | None:
    """Say of a settings module of Django's what it is, and which settings it has; None where it is no Python."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError):
        statements = []
    assigned = (
        target.id
        for statement in statements
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    )
    names = sorted(set(known) & set(assigned))
    if not names and not path.endswith(".py"):
        return None
    has = f"; of XQueue's settings it has {', '.join(names)}" if names else ""
    return (
        f"{_KEY}: {path} is Python code, which is not run{has}: must be a YAML file that maps names to values, such "
        "as\n  XQUEUES: {openedx: null}\n  USERS: {lms: password}"
    )
