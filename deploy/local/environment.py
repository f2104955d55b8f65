"""What the local stack's processes are told, in the settings' own names; whatever the user has set wins."""

import contextlib
import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from broker_setup.settings import ENV_PREFIX, Settings
from broker_setup.settings.secret_files import FILE_SUFFIX
from deploy.local.secret import kept, write_private

USER = "lms"
QUEUE = "openedx"
# Who logs in to the console.
OPERATOR = "operator"

# All that a process may be told, and not what `xqueue-broker` reads alone: of that, some was always missing.
SETTINGS = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
TOLD = {f"{ENV_PREFIX}CFG", *SETTINGS, *(f"{setting}{FILE_SUFFIX}" for setting in SETTINGS)}
# Their values are files and folders, which have to be found from every folder.
PLACES = {f"{ENV_PREFIX}{name.upper()}" for name, field in Settings.model_fields.items() if "Path" in str(field)}


@dataclass(frozen=True)
class Secrets:
    """Made once for each data folder."""

    secret_key: str
    password: str


def secrets_of(data: Path) -> Secrets:
    """Return the data folder's secrets."""
    return Secrets(secret_key=kept(data / "secret_key"), password=kept(data / "password"))


def defaults(given: Collection[str], data: Path, secrets: Secrets) -> dict[str, str]:
    """Return the variables for the settings that are not among those given, in the environment or XQUEUE_CFG's file."""
    ours = {
        "XQUEUE_SECRET_KEY": secrets.secret_key,
        "XQUEUE_HOST": "127.0.0.1",
        "XQUEUE_UPLOAD_PATH": str(data / "uploads"),
        "XQUEUE_USERS": json.dumps({USER: secrets.password}),
        "XQUEUE_XQUEUES": json.dumps({QUEUE: None}),
    }
    if "console_accounts" not in given:
        ours["XQUEUE_CONSOLE_ACCOUNTS"] = json.dumps({OPERATOR: secrets.password})
        ours["XQUEUE_CONSOLE_ROLES"] = json.dumps({OPERATOR: {"role": "operator"}})
    return {name: value for name, value in ours.items() if name.removeprefix("XQUEUE_").lower() not in given}


@contextlib.contextmanager
def operator_environment(data: Path, told: Mapping[str, str]) -> Iterator[Path]:
    """Keep a file to source before `xqueue-broker`, for as long as there is a stack to operate; yield where it is."""
    file = data / "environment"
    given = {name: _from_anywhere(name, value) for name, value in told.items() if name in TOLD}
    write_private(file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given.items()))
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)


def _from_anywhere(name: str, value: str) -> str:
    is_place = name in PLACES or name.endswith((f"{ENV_PREFIX}CFG", FILE_SUFFIX))
    return str(Path(value).resolve()) if is_place and value else value
