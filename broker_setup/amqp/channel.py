"""A channel: calls that the broker answers, publishes and their confirms, deliveries and what becomes of them.

What comes is handed over where it is read, in one turn of the loop for all that came together; what is sent waits for
the end of the turn, and goes out in one piece. Only calls are awaited.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, Protocol

from pamqp import commands
from pamqp.base import Frame as Method

from .confirms import Confirm, Confirms
from .contents import Content, Contents
from .errors import AmqpError, ChannelClosedError
from .frames import (
    ACK,
    AROUND_BYTES,
    DELIVER,
    NACK,
    RETURN,
    ack_frame,
    body_frames,
    header_frame,
    method_frame,
    publish_frame,
    read_method,
    read_tag_and_flag,
    reject_frame,
    return_frame,
)
from .messages import Arrival, Message
from .properties import write_properties

log = logging.getLogger(__name__)

_ID_BYTES = 4
# AMQP has room for 255 bytes of a consumer's tag, and a character takes four at most.
_NAME_CHARACTERS = 60
_tags = count(1)

Received = Callable[[Arrival], None]


class Wire(Protocol):
    """The connection, as its channels see it."""

    name: str
    frame_max: int

    def send(self, *pieces: bytes | memoryview) -> None:
        """Send, with all else of this turn of the loop and in the order of the calls."""

    def begin_close(self, channel: "Channel") -> asyncio.Future[None]:
        """Close a channel: at once for us, and for the broker once the returned future is done."""

    def forget(self, channel: "Channel") -> None:
        """Forget a channel that the broker has closed."""


class Channel:
    """One open channel of a connection; void, with all deliveries that came on it, once it `is_closed`."""

    def __init__(self, wire: Wire, number: int) -> None:
        self._wire = wire
        self.number = number
        self.is_closed = False
        self.on_closed: set[Callable[[Channel, AmqpError], None]] = set()
        self.on_cancelled: set[Callable[[str], None]] = set()  # called with the consumer that the broker ended
        self._answers: deque[asyncio.Future[Any]] = deque()
        self._consumers: dict[str, Received] = {}
        self._confirms = Confirms()
        self._contents = Contents()
        self._way = ("", "")
        self._publish_frame = b""

    async def call(self, method: Method) -> Any:
        """Ask, and return the broker's answer; raise ChannelClosedError with its words where it refuses.

        Cancelling the caller does no harm: the answer is then nobody's.
        """
        self._check_open()
        question = method_frame(self.number, method)  # what AMQP can't say is raised before an answer is waited for
        answer = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self._wire.send(question)
        return await answer

    async def set_prefetch(self, number: int) -> None:
        """Let each consumer that begins after this have so many unsettled deliveries."""
        await self.call(commands.Basic.Qos(prefetch_count=number))

    async def consume(self, queue: str, received: Received, arguments: dict[str, Any] | None = None) -> str:
        """Have each delivery `received`; return the consumer's tag."""
        # What operators see at the queue: whose consumer it is.
        tag = f"{self._wire.name[:_NAME_CHARACTERS]} {next(_tags)}"
        self._consumers[tag] = received  # before the answer: a delivery may come together with it
        try:
            await self.call(commands.Basic.Consume(queue=queue, consumer_tag=tag, arguments=arguments or {}))
        except AmqpError:
            self._consumers.pop(tag, None)
            raise
        return tag

    async def cancel(self, tag: str) -> None:
        """End a consumer; what it was delivered stays unsettled on the channel."""
        await self.call(commands.Basic.Cancel(consumer_tag=tag))
        self._consumers.pop(tag, None)

    async def count_ready(self, queue: str) -> int:
        """Say how many messages of a queue are ready; raise ChannelClosedError (404) where there is no such queue."""
        answer = await self.call(commands.Queue.Declare(queue=queue, passive=True))
        return int(answer.message_count)

    async def look_at(self, queue: str) -> tuple[int, int]:
        """Say how many messages of a queue are ready and how many consumers it has; raise ChannelClosedError (404)."""
        answer = await self.call(commands.Queue.Declare(queue=queue, passive=True))
        return int(answer.message_count), int(answer.consumer_count)

    async def find_exchange(self, exchange: str) -> None:
        """Return if there is such an exchange; raise ChannelClosedError (404) if not."""
        await self.call(commands.Exchange.Declare(exchange=exchange, passive=True))

    async def declare_exclusive(self, queue: str) -> None:
        """Make a queue that goes with the connection; raise ChannelClosedError (405) where another one has it."""
        # Classic, whatever the virtual host's default: no other type can be exclusive.
        await self.call(commands.Queue.Declare(queue=queue, exclusive=True, arguments={"x-queue-type": "classic"}))

    async def delete_queue(self, queue: str) -> None:
        """Delete a queue, if it is there."""
        await self.call(commands.Queue.Delete(queue=queue))

    async def purge(self, queue: str) -> int:
        """Take out all that is ready in a queue, and say how much that was."""
        answer = await self.call(commands.Queue.Purge(queue=queue))
        return int(answer.message_count)

    def publish(self, message: Message, *, exchange: str, routing_key: str) -> Confirm:
        """Publish, mandatory and to be confirmed; raise ValueError, OverflowError or TypeError for what AMQP can't say.

        Whatever is wrong with a message is raised before anything of it is sent.
        """
        self._check_open()
        room = self._wire.frame_max - AROUND_BYTES
        header = header_frame(self.number, len(message.body), write_properties(message))
        if len(header) > self._wire.frame_max:
            raise OverflowError(f"its headers have {len(header)} bytes, and a frame {self._wire.frame_max}")
        if self._way != (exchange, routing_key):
            self._publish_frame = publish_frame(self.number, exchange, routing_key)
            self._way = (exchange, routing_key)
        self._wire.send(self._publish_frame, header, *body_frames(self.number, message.body, room))
        return self._confirms.add(message.message_id)

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Let a delivery go for good, or with `multiple` all up to it."""
        self._check_open()
        self._wire.send(ack_frame(self.number, tag, multiple=multiple))

    def give_back(self, tag: int, *, multiple: bool = False) -> None:
        """Return a delivery to its queue, or with `multiple` all up to it."""
        self._check_open()
        self._wire.send(return_frame(self.number, tag, multiple=multiple))

    def reject(self, tag: int) -> None:
        """Send a delivery to where its queue sends what could not be dealt with.

        By reject and not nack, which RabbitMQ 4.3 does not count as an attempt.
        """
        self._check_open()
        self._wire.send(reject_frame(self.number, tag))

    async def close(self) -> None:
        """Close; what is unsettled on it comes again elsewhere. It is no error if it is closed already."""
        await asyncio.shield(self._wire.begin_close(self))

    # What the connection calls with what it reads.

    def on_method(self, payload: bytes) -> None:
        """Take a method's frame."""
        method = payload[:_ID_BYTES]
        if method == DELIVER:
            self._contents.begin_delivery(payload, self)
        elif method in {ACK, NACK}:
            tag, flags = read_tag_and_flag(payload, _ID_BYTES)
            self._confirms.settle(tag, multiple=bool(flags & 1), stored=method == ACK)
        elif method == RETURN:
            self._contents.begin_return()
        else:
            self._take(read_method(payload))

    def on_header(self, payload: bytes) -> None:
        """Take the header of what a method began."""
        self._come(self._contents.header(payload))

    def on_body(self, payload: bytes) -> None:
        """Take a part of a body."""
        self._come(self._contents.body(payload))

    def end(self, error: AmqpError) -> None:
        """End all that waits on it: the channel, or its connection, has ended."""
        if self.is_closed:
            return
        self.is_closed = True
        self._contents.forget()
        for answer in self._answers:
            if not answer.done():
                answer.set_exception(error)
        self._answers.clear()
        self._consumers.clear()
        self._confirms.end(error)
        for callback in tuple(self.on_closed):
            callback(self, error)

    def _come(self, content: Content | None) -> None:
        if isinstance(content, Arrival):
            if received := self._consumers.get(content.consumer_tag):
                try:
                    received(content)
                except Exception:  # a mistake of ours, which must not end the connection with all that is held on it
                    log.exception("a delivery of %r stays unsettled: unexpected error", content.routing_key)
        elif content is not None:
            self._confirms.returned(content.message_id)

    def _take(self, method: Method) -> None:
        match method:
            case commands.Channel.Close():
                self._wire.send(method_frame(self.number, commands.Channel.CloseOk()))
                self._wire.forget(self)
                self.end(ChannelClosedError(method.reply_text, method.reply_code or 0))
            case commands.Basic.Cancel():  # RabbitMQ wants no answer
                tag = method.consumer_tag or ""
                self._consumers.pop(tag, None)
                for callback in tuple(self.on_cancelled):
                    callback(tag)
            case commands.Channel.Flow():
                self._wire.send(method_frame(self.number, commands.Channel.FlowOk(method.active)))
            case _ if self._answers:
                answer = self._answers.popleft()
                if not answer.done():  # whoever asked may have gone
                    answer.set_result(method)
            case _:
                log.warning("an answer that nobody asked for: %s", method.name)

    def _check_open(self) -> None:
        if self.is_closed:
            raise ChannelClosedError("the channel is closed")
