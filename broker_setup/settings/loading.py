"""Reads the settings from XQUEUE_CFG (YAML) and the environment, which nothing else reads."""

import difflib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_settings import SettingsError as UnreadableSettingsError

from broker_setup.errors import SettingsError
from broker_setup.settings.secret_files import FILE_SUFFIX, is_secret, secrets_of_files
from broker_setup.settings.settings import ENV_PREFIX, Settings
from broker_setup.settings.wrong_settings import explain, explain_unreadable

# Read by the local stack or by the loader itself, so not keys of the settings.
_ENV_OF_OTHERS = frozenset({"CFG", "DATA_DIR", "CACHE_DIR"})

# How alike a name must be to be guessed: a slip of the fingers is, another word of the original's settings is not.
_CLOSE = 0.75


def load_settings(require: Iterable[str] = ()) -> tuple[Settings, list[str]]:
    """Read the settings; return them with the names of keys that were set but mean nothing here.

    Raise SettingsError, one line for each wrong key, also where a key of `require` is not set.
    """
    environment = os.environ
    from_file = _read_file(environment.get(f"{ENV_PREFIX}CFG"))
    given = {key.lower(): value for key, value in from_file.items() if key in _known_keys()}
    try:
        settings = Settings(**given | secrets_of_files(Settings, ENV_PREFIX, environment))
    except ValidationError as error:
        raise SettingsError(explain(error, Settings, ENV_PREFIX, environment)) from None
    except UnreadableSettingsError as error:
        raise SettingsError(explain_unreadable(error, Settings, ENV_PREFIX, environment)) from None
    missing = [key for key in require if not getattr(settings, key.lower())]
    if missing:
        raise SettingsError(
            "\n".join(f"{key} is not set: give it in XQUEUE_CFG's file or as {ENV_PREFIX}{key}" for key in missing),
        )
    return settings, _unknown_keys(from_file, environment)


def unknown_keys_warning(unknown: Iterable[str]) -> str:
    """Word the warning about keys that mean nothing here, each with the one that may have been meant."""
    return f"these settings mean nothing here: {', '.join(map(_with_a_guess, unknown))}"


def _with_a_guess(name: str) -> str:
    prefix = ENV_PREFIX if name.startswith(ENV_PREFIX) else ""
    candidates = _known_keys() | _ENV_OF_OTHERS if prefix else _known_keys()
    close = difflib.get_close_matches(name.removeprefix(prefix).upper(), sorted(candidates), 1, _CLOSE)
    return f"{name} (did you mean {prefix}{close[0]}?)" if close else name


def _read_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"XQUEUE_CFG: can't read {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"XQUEUE_CFG: {path} is not YAML: {_without_the_text(error)}") from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise SettingsError(f"XQUEUE_CFG: {path} must map names of settings to values")
    return content


def _without_the_text(error: yaml.YAMLError | UnicodeDecodeError) -> str:
    # PyYAML's own message quotes the line, which may hold a password.
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"{error.problem} in line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}"
    return str(error).split("\n", maxsplit=1)[0]


def _known_keys() -> frozenset[str]:
    return frozenset(name.upper() for name in Settings.model_fields)


def _secret_file_keys() -> frozenset[str]:
    return frozenset(f"{name.upper()}{FILE_SUFFIX}" for name in Settings.model_fields if is_secret(Settings, name))


def _unknown_keys(from_file: Mapping[str, Any], environment: Iterable[str]) -> list[str]:
    known = _known_keys()
    from_environment = {name for name in environment if name.startswith(ENV_PREFIX) and name.isupper()} - {
        f"{ENV_PREFIX}{name}" for name in known | _ENV_OF_OTHERS | _secret_file_keys()
    }
    return sorted({key for key in from_file if key not in known} | from_environment)
