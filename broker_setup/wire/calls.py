"""Classic RPC calls: a program inside asks a course queue, and waits for the answer at a queue of its own.

The bridge and the grader library tell them from submissions by this one rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from broker_setup.amqp.messages import Message
from broker_setup.topology import is_ours
from broker_setup.wire.properties import RETURN_HEADER


@dataclass(frozen=True)
class CallOrigin:
    """Who asked: where its answer goes, and how it knows it again, if it wants to."""

    reply_to: str
    correlation_id: str | None


def call_origin_of(headers: Mapping[str, Any], reply_to: str | None, correlation_id: str | None) -> CallOrigin | None:
    """Return who asked by a message of these properties, None where it is no call.

    A submission has a sealed return address instead, and nobody waits for an answer at a queue of ours.
    """
    if RETURN_HEADER in headers or not reply_to or is_ours(reply_to):
        return None
    return CallOrigin(reply_to, correlation_id)


def answer_to(origin: CallOrigin, body: bytes) -> Message:
    """Make the message that answers a caller."""
    return Message(
        body,
        content_type="application/octet-stream",
        correlation_id=origin.correlation_id,
        message_id=uuid4().hex,
        timestamp=datetime.now(UTC),
        type="xqueue.result",
    )
