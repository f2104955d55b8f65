"""What both sides of a contract are held to: tests/vectors/."""

import json
from typing import Any

from tests.support.project import text

AMQP: dict[str, Any] = json.loads(text("tests/vectors/amqp.json"))


def amqp_cases(*kinds: str) -> list[dict[str, Any]]:
    """Return the messages of some kinds, with what is read of them and what answers them."""
    return [case for kind in kinds for case in AMQP[kind]]


def what(case: dict[str, Any]) -> str:
    """Name a case in a test's name."""
    return str(case["what"])


def properties_of(case: dict[str, Any]) -> dict[str, Any]:
    """Return a message's body, in bytes, and its properties, as a delivery has them."""
    message: dict[str, Any] = case["message"]
    return message | {"body": message["body"].encode()}
