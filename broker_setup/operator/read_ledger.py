"""Reads the ledger once, up to where it ended when that began, with a progress bar for a long one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from time import time

import pika
from pika.exceptions import AMQPError, NackError, UnroutableError

from broker_setup.amqp.errors import NOT_FOUND
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.ledger.replay import replay
from broker_setup.link.blocking import connect
from broker_setup.link.refusals import in_words
from broker_setup.operator.console import progress
from broker_setup.process.process_name import process_name
from broker_setup.topology import LEDGER, LEDGER_EXCHANGE


def read_ledger(url: str, take: Callable[[Frame], None], since: datetime | None = None) -> None:
    """Hand every frame to `take`, in order; with `since`, those from about that moment on.

    Raise BrokerUnavailableError if the broker or the ledger is away.
    """
    marker = _mark_the_end(url)
    with progress() as shown:
        # How far it has come is told by the events' times: a stream has no count, and its offsets have gaps.
        task = shown.add_task("reading the ledger", total=None)
        began: float | None = None

        def deliver(frames: Sequence[Frame]) -> None:
            nonlocal began
            for frame in frames:
                take(frame)
            at = next((frame.events[0].at for frame in reversed(frames) if frame.events), None)
            if at is not None:
                began = at if began is None else began
                shown.update(task, completed=at - began, total=max(time() - began, at - began))

        replay(url, since or "first", marker, deliver)


def _mark_the_end(url: str) -> bytes:
    marker = Frame(new_frame_id(), process_name("xqueue-broker"), [])
    body = encode_frame(marker).body
    try:
        with connect(url) as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            properties = pika.BasicProperties(delivery_mode=2)
            channel.basic_publish(LEDGER_EXCHANGE, LEDGER, body, properties, mandatory=True)
    except (UnroutableError, NackError, AMQPError) as error:
        if isinstance(error, UnroutableError) or getattr(error, "reply_code", None) == NOT_FOUND:
            raise BrokerUnavailableError(f"{LEDGER} is missing: run `xqueue-broker declare`") from error
        raise BrokerUnavailableError(f"the ledger could not be marked: {in_words(error)}") from error
    return marker.id
