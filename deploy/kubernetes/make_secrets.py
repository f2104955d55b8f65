"""Makes the secrets of an overlay, in the files that its kustomization.yaml names; what is there stays as it is.

Run from the repository's root, with any Python 3.11 or newer: python3 -m deploy.kubernetes.make_secrets FOLDER
"""

import argparse
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

BROKER = "xqueue-rabbitmq"  # the Service of the component rabbitmq-operator
PASSWORDS = "broker-passwords.json"
# Who connects as which of the broker's users.
USERS = {
    "gateway": "xqueue-gateway",
    "relay": "xqueue-relay",
    "passive": "xqueue-passive",
    "upstream": "xqueue-gateway",
    "commands": "xqueue-broker",
    "console": "xqueue-broker",
}
OPERATOR = "xqueue-operator"


def main() -> None:
    """Make what is missing in the overlay's folder `secrets`, and say what that was."""
    parser = argparse.ArgumentParser(description="Makes the secrets of an overlay; what is there stays as it is.")
    parser.add_argument("overlay", type=Path, metavar="FOLDER", help="the overlay, with its kustomization.yaml")
    parser.add_argument("--broker", default=BROKER, metavar="HOST", help=f"where RabbitMQ is ({BROKER} unless given)")
    arguments = parser.parse_args()
    if not (arguments.overlay / "kustomization.yaml").is_file():
        parser.error(f"{arguments.overlay} is no overlay: it has no kustomization.yaml")
    made = make_secrets(arguments.overlay / "secrets", arguments.broker)
    print(f"made in {arguments.overlay / 'secrets'}: {', '.join(made) or 'nothing, all of it is there'}")


def make_secrets(folder: Path, broker: str) -> list[str]:
    """Write what is missing, for its owner alone; return the names of what was written."""
    folder.mkdir(mode=0o700, exist_ok=True)
    kept = folder / PASSWORDS
    passwords = json.loads(kept.read_text()) if kept.exists() else made_up(*USERS.values(), OPERATOR)
    missing = {name: text for name, text in contents(passwords, broker).items() if not (folder / name).exists()}
    for name, text in missing.items():
        file = folder / name
        file.touch(mode=0o600)
        file.write_text(text)
    return list(missing)


def contents(passwords: Mapping[str, str], broker: str) -> dict[str, str]:
    """Say what stands in each file, with these passwords of the broker's users."""
    urls = {f"{role}-amqp-url": f"amqp://{user}:{passwords[user]}@{broker}:5672/" for role, user in USERS.items()}
    return {
        PASSWORDS: json.dumps(passwords),
        **urls,
        "commands-management-url": f"http://{OPERATOR}:{passwords[OPERATOR]}@{broker}:15672",
        "secret-key": secrets.token_hex(32),
        "users.json": json.dumps(made_up("lms", "grader")),
        "console-accounts.json": json.dumps(made_up("operator")),
    }


def made_up(*names: str) -> dict[str, str]:
    """Make a password for each: letters and digits alone, as some become parts of URLs."""
    return {name: secrets.token_hex(24) for name in names}


if __name__ == "__main__":
    main()
