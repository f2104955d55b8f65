"""What a grader that is called gets to see, and whom a delivery's answer is for; no I/O."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from broker_setup.topology import is_ours
from broker_setup.wire.messages import RETURN_HEADER


@dataclass(frozen=True)
class Caller:
    """A program inside that asked by AMQP RPC: where its answer goes, and how it knows it again."""

    reply_to: str
    correlation_id: str


def caller_of(message: AbstractIncomingMessage) -> Caller | None:
    """Return who asked, None for a submission: that has a sealed return address instead."""
    reply_to, correlation_id = message.reply_to, message.correlation_id
    if RETURN_HEADER in message.headers or not reply_to or not correlation_id or is_ours(reply_to):
        return None
    return Caller(reply_to, correlation_id)


def request_body(body: str, files: Mapping[str, str]) -> bytes:
    """Make the body of the request to a grader: xqueue_files is JSON in a string, as it always was."""
    return json.dumps({"xqueue_body": body, "xqueue_files": json.dumps(dict(files))}).encode()


def answer_to(caller: Caller, body: bytes) -> Message:
    """Make the message that answers a caller."""
    return Message(
        body,
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type="application/octet-stream",
        correlation_id=caller.correlation_id,
        message_id=uuid4().hex,
        timestamp=datetime.now(UTC),
        type="xqueue.result",
    )
