"""Reads what the ledger already holds, once and with pika, for operators' commands."""

import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError
from pika.spec import Basic, BasicProperties

from broker_setup.errors import BadMessageError, BrokerUnavailableError
from broker_setup.ledger.frames import Frame, decode_frame
from broker_setup.link.blocking import parameters_of
from broker_setup.link.refusals import in_words
from broker_setup.topology import LEDGER

# How much may be under way: enough to keep the line busy, in frames of any size.
PREFETCH = 2_000
ACK_EVERY = 500
# What is handed over at once.
CHUNK_EVENTS = 2_000
# A replay that sees nothing for this long has lost its marker, or the broker.
SILENCE_SECONDS = 20.0
SOCKET_SECONDS = 10

# Where to begin: everything, the chunk of a moment, or an offset.
Start = str | datetime | int


def replay(
    url: str,
    start: Start,
    marker: bytes,
    deliver: Callable[[Sequence[Frame]], None],
) -> None:
    """Read frames from `start` until the frame with the id `marker`, handing them to `deliver` in chunks.

    Returns when the marker was delivered. Raise BrokerUnavailableError if the broker or the stream is lost, or the
    marker does not come.
    """
    try:
        connection = pika.BlockingConnection(parameters_of(url, heartbeat=60, patience=SOCKET_SECONDS))
        try:
            _Replay(marker, deliver).run(connection, start)
        finally:
            # A stream takes no nack, which is how pika gives back what it has read ahead.
            with contextlib.suppress(AMQPError):
                connection.close()
    except (AMQPError, OSError) as error:
        raise BrokerUnavailableError(f"the ledger can't be replayed: {in_words(error)}") from error


class _Replay:
    def __init__(self, marker: bytes, deliver: Callable[[Sequence[Frame]], None]) -> None:
        self._marker = marker
        self._deliver = deliver
        self._chunk: list[Frame] = []
        self._events = 0
        self._read = 0
        self._done = False
        self._heard_at = monotonic()

    def run(self, connection: pika.BlockingConnection, start: Start) -> None:
        channel = connection.channel()
        channel.basic_qos(prefetch_count=PREFETCH)
        channel.basic_consume(LEDGER, self._take, arguments={"x-stream-offset": start})
        while not self._done:
            connection.process_data_events(time_limit=1)
            if monotonic() - self._heard_at > SILENCE_SECONDS:
                raise BrokerUnavailableError("the ledger's replay did not come to its end")

    def _take(self, channel: BlockingChannel, method: Basic.Deliver, _: BasicProperties, body: bytes) -> None:
        if self._done:
            return
        self._read += 1
        self._heard_at = monotonic()
        if self._read % ACK_EVERY == 0:
            channel.basic_ack(method.delivery_tag, multiple=True)
        with contextlib.suppress(BadMessageError):  # what follows the ledger says so
            frame = decode_frame(body)
            self._chunk.append(frame)
            self._events += len(frame.events) + 1
            self._done = frame.id == self._marker
        if self._done or self._events >= CHUNK_EVENTS:
            self._deliver(self._chunk)
            self._chunk, self._events = [], 0
