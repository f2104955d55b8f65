"""What lies in a queue that says that a course queue is paused: why, by whom, since when and until when."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from broker_setup.amqp.messages import Message
from broker_setup.errors import BadMessageError

MAX_REASON = 500
# RabbitMQ keeps a message's time to live in 32 bits of milliseconds, 49 days and some.
LONGEST_SECONDS = 45 * 24 * 3600.0


class Pause(Struct, frozen=True):
    """A course queue is handed out to nobody, `since` then; without an `until` (UTC) it ends when it is resumed."""

    queue: str
    reason: str
    by: str
    since: datetime
    until: datetime | None = None


_decoder = msgspec.json.Decoder(Pause)


def encode_pause(pause: Pause) -> Message:
    """Make the message; it goes away by itself at the pause's end."""
    left = None if pause.until is None else (pause.until - datetime.now(UTC)).total_seconds()
    return Message(
        msgspec.json.encode(pause),
        content_type="application/json",
        expiration=None if left is None else str(max(0, round(left * 1000))),
        type="xqueue.pause",
        timestamp=pause.since,
    )


def decode_pause(body: bytes) -> Pause:
    """Read a message's body; raise BadMessageError if it is no pause."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadMessageError(f"no pause: {error}", body) from error
