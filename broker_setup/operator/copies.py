"""Copies of messages with all that they carry, what tells one from all others, and how they are stored."""

import asyncio
import hashlib
from dataclasses import fields
from functools import partial

from broker_setup.amqp.confirms import Confirm
from broker_setup.amqp.errors import ReturnedError
from broker_setup.amqp.messages import Arrival, Message, Properties
from broker_setup.errors import BrokerUnavailableError, PublishRefusedError
from broker_setup.link.refusals import in_words

# What the broker writes itself at each delivery, and what would send a copy to further queues.
_NOT_COPIED = frozenset({"x-delivery-count", "x-acquired-count", "CC", "BCC"})
_PROPERTIES = tuple(field.name for field in fields(Properties))

Key = bytes
KEY_BYTES = hashlib.sha256().digest_size


def copy_of(message: Message | Arrival, witness: str | None = None) -> Message:
    """Make a copy with all properties and headers, which goes to the witness, too, if there is one."""
    copied = {name: getattr(message, name) for name in _PROPERTIES}
    copied["headers"] = _headers(message) | ({"BCC": [witness]} if witness else {})
    return Message(message.body, **copied)


def key_of(message: Message | Arrival) -> Key:
    """Tell a message from all others, by all that it carries, but for how long it has still to wait."""
    told = [getattr(message, name) for name in _PROPERTIES if name not in {"headers", "expiration"}]
    text = repr((told, sorted(_headers(message).items())))
    return hashlib.sha256(text.encode(errors="surrogatepass") + b"\0" + message.body).digest()


def _headers(message: Message | Arrival) -> dict[str, object]:
    return {name: value for name, value in message.headers.items() if name not in _NOT_COPIED}


async def confirmed(confirm: Confirm) -> None:
    """Return once the broker has stored a copy; raise BrokerUnavailableError or PublishRefusedError."""
    waiter = asyncio.get_running_loop().create_future()
    confirm.then(partial(_done, waiter))
    await waiter
    if confirm.error is None:
        return
    why = in_words(confirm.error)
    if "user_id" in why:
        raise PublishRefusedError(
            f"{why}: who moves other users' messages in their names needs the tag impersonator "
            "(rabbitmqctl set_user_tags USER administrator impersonator)"
        ) from confirm.error
    if isinstance(confirm.error, ReturnedError):
        raise PublishRefusedError("the queue that messages are moved to is gone: run it again") from confirm.error
    raise BrokerUnavailableError(f"the broker did not store a copy: {why}") from confirm.error


def _done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
