"""What the local stack's processes are told, in the settings' own names; whatever the user has set wins."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from deploy.local.secret import kept

USER = "lms"
QUEUE = "openedx"


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
