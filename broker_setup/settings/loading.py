"""Reads the settings from XQUEUE_CFG (YAML) and the environment, which nothing else reads."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from broker_setup.errors import SettingsError
from broker_setup.settings.odd_keys import known_keys, level_of_the_original, warnings_about
from broker_setup.settings.secret_files import FILE_SUFFIX, secrets_of_files
from broker_setup.settings.settings import Settings
from broker_setup.settings.settings_file import read_settings_file
from broker_setup.settings.table import ENV_PREFIX
from broker_setup.settings.wrong_settings import explain


def load_settings(require: Iterable[str] = ()) -> tuple[Settings, list[str]]:
    """Read the settings; return them with warnings, a sentence each, about what will not do what somebody may think.

    Raise SettingsError with all that is wrong, one line for each wrong key, also where a key of `require` is not set.
    """
    environment = os.environ
    from_file = read_settings_file(environment.get(f"{ENV_PREFIX}CFG"), known_keys())
    given = {key.lower(): value for key, value in from_file.items() if key in known_keys()}
    of_files, unread = secrets_of_files(Settings, ENV_PREFIX, environment)
    given |= level_of_the_original(from_file) | of_files
    wrong = list(unread.values())
    try:
        settings = Settings(**given)
    except ValidationError as error:
        wrong += explain(error, Settings, ENV_PREFIX, environment, named=unread)
        wrong += [_not_set(key) for key in require if not _is_given(key, given, environment)]
    else:
        # One whose file can't be read has been named.
        unset = (key for key in require if not getattr(settings, key.lower()))
        wrong += [_not_set(key) for key in unset if f"{ENV_PREFIX}{key}{FILE_SUFFIX}" not in environment]
    if wrong:
        raise SettingsError("\n".join(wrong))
    return settings, warnings_about(from_file, environment, settings)


def _is_given(key: str, given: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    variable = f"{ENV_PREFIX}{key}"
    return bool(given.get(key.lower()) or environment.get(variable) or environment.get(f"{variable}{FILE_SUFFIX}"))


def _not_set(key: str) -> str:
    return f"{key} is not set: give it in XQUEUE_CFG's file or as {ENV_PREFIX}{key}"
