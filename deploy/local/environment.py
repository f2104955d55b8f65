"""What the local stack's processes are told, in the settings' own names; whatever the user has set wins."""

import contextlib
import json
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.secret import kept, write_private

USER = "lms"
QUEUE = "openedx"

# Every setting that `xqueue-broker` reads; the file gives those that the stack's processes were given.
OPERATOR_KEYS = (
    "CFG",
    "AMQP_URL",
    "MANAGEMENT_URL",
    "BROKER_CA_BUNDLE",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "XQUEUES",
    "AMQP_GRADERS",
    "SERVICE_USERS",
    "BROKER_PASSWORDS",
    "LEDGER_MAX_AGE",
    "LEDGER_MAX_SIZE",
    "LEDGER_WINDOW",
    "RETRY_DELAYS",
    "NOTICE_GRACE",
    "SUPERSEDE_MIN_AGE",
    "QUEUE_OPTIONS",
    "RETIRED_MESSAGE",
)


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
    return {name: value for name, value in ours.items() if name.removeprefix("XQUEUE_").lower() not in given}


@contextlib.contextmanager
def operator_environment(data: Path, told: Mapping[str, str]) -> Iterator[Path]:
    """Keep a file to source before `xqueue-broker`, for as long as there is a stack to operate; yield where it is."""
    file = data / "environment"
    given = {name: told[name] for key in OPERATOR_KEYS if (name := f"XQUEUE_{key}") in told}
    if given.get("XQUEUE_CFG"):
        given["XQUEUE_CFG"] = str(Path(given["XQUEUE_CFG"]).resolve())
    write_private(file, "".join(f"export {name}={shlex.quote(value)}\n" for name, value in given.items()))
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
