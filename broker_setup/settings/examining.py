"""Finds all that is wrong with the settings of a process, not only what stops it first."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from broker_setup.errors import SettingsError
from broker_setup.settings.agreements import disagreements
from broker_setup.settings.odd_keys import known_keys, level_of_the_original, warnings_about
from broker_setup.settings.secret_files import secrets_of_files
from broker_setup.settings.settings import Settings
from broker_setup.settings.settings_file import read_settings_file
from broker_setup.settings.table import ENV_PREFIX, SettingsTable
from broker_setup.settings.wrong_settings import explain

_LEFT_OUT = "left_out"


@dataclass(frozen=True)
class Examined:
    """The settings, None if they can't be used; what of them is `right` by itself; and what there is to say of them."""

    settings: Settings | None
    right: SettingsTable
    wrong_keys: Collection[str]
    mistakes: list[str]
    warnings: list[str]


class _RightOnes(SettingsTable):
    """The settings as if those that are wrong by themselves were not set."""

    # It is made where something is wrong, and nowhere else.
    model_config = SettingsConfigDict(defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _leave_out(cls, values: dict[str, Any]) -> dict[str, Any]:
        left_out = values[_LEFT_OUT]
        return {key: value for key, value in values.items() if key not in left_out}


def examine(environment: Mapping[str, str], require: Iterable[str] = ()) -> Examined:
    """Read the file that `environment` names, and `environment`, which has to be this process's own.

    A sentence stands for each mistake, also where a key of `require` is not set, and for each warning.
    """
    mistakes: list[str] = []
    from_file: Mapping[str, Any] = {}
    try:
        from_file = read_settings_file(environment.get(f"{ENV_PREFIX}CFG"), known_keys())
    except SettingsError as error:
        mistakes.append(str(error))
    # Where nobody knows what the file holds, nothing can be missed, nor go with what the environment says.
    is_whole = not mistakes
    given = {key.lower(): value for key, value in from_file.items() if key in known_keys()}
    of_files, unread = secrets_of_files(Settings, ENV_PREFIX, environment)
    given |= level_of_the_original(from_file) | of_files
    settings: Settings | None = None
    right: SettingsTable
    wrong_keys = set(unread)
    mistakes += unread.values()
    try:
        settings = Settings(**given)
        right = settings
    except ValidationError as error:
        mistakes += explain(error, Settings, ENV_PREFIX, environment, named=unread)
        wrong_keys |= {str(problem["loc"][0]) for problem in error.errors(include_url=False) if problem["loc"]}
        right = _RightOnes(**given | {_LEFT_OUT: wrong_keys})
        mistakes += disagreements(right, wrong=wrong_keys) if is_whole else ()
    unset = [key for key in require if not getattr(right, key.lower()) and key.lower() not in wrong_keys]
    mistakes += map(_not_set, unset) if is_whole else ()
    return Examined(settings, right, wrong_keys, mistakes, warnings_about(from_file, environment, right))


def _not_set(key: str) -> str:
    return f"{key} is not set: give it in XQUEUE_CFG's file or as {ENV_PREFIX}{key}"
