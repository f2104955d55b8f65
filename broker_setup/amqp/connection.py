"""One connection to a broker: what comes is cut into frames and handed to its channels."""

import asyncio
from typing import TYPE_CHECKING, cast

from pamqp import commands
from pamqp.base import Frame as Method

from .channel import Channel
from .channel_numbers import ChannelNumbers
from .errors import AmqpError, ChannelClosedError, ConnectionLostError
from .frames import (
    AROUND_BYTES,
    BODY,
    END_BYTE,
    HEAD,
    HEAD_BYTES,
    HEADER,
    HEARTBEAT_FRAME,
    METHOD,
    PROTOCOL_HEADER,
    method_frame,
    read_method,
)
from .handshake import Handshake
from .outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

# A broker that lives sends something in each half of a heartbeat's time; this many looks in a row without anything.
SILENT_LOOKS = 6
CLOSE_SECONDS = 3.0


class Connection(asyncio.Protocol):
    """A connection, of use once `opened` is done, until it `is_closed`."""

    def __init__(self, handshake: Handshake) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._handshake = handshake
        self.opened: asyncio.Future[None] = loop.create_future()
        self.is_closed = False
        self.is_blocked = False  # whether the broker has said that it takes nothing: memory or disk is short
        self.name = handshake.name
        self.frame_max = handshake.frame_max
        self.last_heard_at = loop.time()  # when something came, by the loop's clock
        self.on_closed: set[Callable[[AmqpError], None]] = set()
        self._transport: asyncio.Transport | None = None
        self._channels: dict[int, Channel] = {}
        self._closing: dict[int, asyncio.Future[None]] = {}  # channels that we have closed and the broker has not
        self._numbers = ChannelNumbers()
        self._rest = b""
        self._outbox = Outbox()
        self.send = self._outbox.send
        self._looking: asyncio.TimerHandle | None = None
        self._lost: asyncio.Future[None] = loop.create_future()

    async def channel(self) -> Channel:
        """Open a channel, whose publishes are confirmed."""
        if self.is_closed:
            raise ConnectionLostError("the connection is closed")
        number = self._numbers.take(self._handshake.channel_max)
        channel = self._channels[number] = Channel(self, number)
        try:
            await channel.call(commands.Channel.Open())
            await channel.call(commands.Confirm.Select())
        except BaseException:  # whoever wanted it has gone
            self.begin_close(channel)
            raise
        return channel

    def begin_close(self, channel: Channel) -> asyncio.Future[None]:
        """Close a channel: at once for us, and for the broker once the returned future is done."""
        closing = self._loop.create_future()
        if self._channels.pop(channel.number, None):
            self._closing[channel.number] = closing
            self.send(method_frame(channel.number, commands.Channel.Close(0, "", 0, 0)))
            channel.end(ChannelClosedError("the channel was closed"))
        else:
            closing.set_result(None)
        return closing

    def forget(self, channel: Channel) -> None:
        """Forget a channel that the broker has closed."""
        if self._channels.pop(channel.number, None):
            self._numbers.give(channel.number)

    async def close(self) -> None:
        """Say goodbye, and end after a moment, whatever the broker says."""
        if not self.is_closed:
            self.send(method_frame(0, commands.Connection.Close(200, "", 0, 0)))
            await asyncio.wait({self._lost}, timeout=CLOSE_SECONDS)
        self.abort()

    def abort(self) -> None:
        """End without a word."""
        self._end(ConnectionLostError("the connection was closed"))

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        self._transport = cast("asyncio.Transport", transport)
        self._outbox.open(self._transport)
        self._outbox.write(PROTOCOL_HEADER)

    def data_received(self, data: bytes) -> None:
        """Hand over each frame that is whole."""
        self.last_heard_at = self._loop.time()
        if self._rest:
            data = self._rest + data
        at, end = 0, len(data)
        while end - at >= AROUND_BYTES and not self.is_closed:
            kind, number, size = HEAD.unpack_from(data, at)
            stop = at + HEAD_BYTES + size
            if size > self.frame_max or (stop < end and data[stop] != END_BYTE):
                self._end(ConnectionLostError("the broker sent what is no AMQP"))
                return
            if stop >= end:
                break
            self._take(kind, number, data[at + HEAD_BYTES : stop])
            at = stop + 1
        self._rest = data[at:]

    def pause_writing(self) -> None:
        """Wait until the broker reads."""
        self._outbox.pause()

    def resume_writing(self) -> None:
        """Go on."""
        self._outbox.resume()

    def connection_lost(self, error: Exception | None) -> None:
        """End all that waits."""
        words = str(error) if error else "the broker ended the connection"
        self._end(ConnectionLostError(words))

    # What comes of it.

    def _take(self, kind: int, number: int, payload: bytes) -> None:
        if number:
            channel = self._channels.get(number)
            if channel is None:
                self._take_of_closing(kind, number, payload)
            elif kind == METHOD:
                channel.on_method(payload)
            elif kind == HEADER:
                channel.on_header(payload)
            elif kind == BODY:
                channel.on_body(payload)
        elif kind == METHOD:
            self._take_own(read_method(payload))

    def _take_own(self, method: Method) -> None:
        match method:
            case commands.Connection.Close():
                self._outbox.write(method_frame(0, commands.Connection.CloseOk()))
                self._end(ConnectionLostError(method.reply_text, method.reply_code or 0), politely=True)
            case commands.Connection.CloseOk():
                self._end(ConnectionLostError("the connection was closed"))
            case commands.Connection.Blocked():
                self.is_blocked = True
            case commands.Connection.Unblocked():
                self.is_blocked = False
            case commands.Connection.OpenOk():
                self._looking = self._loop.call_later(self._handshake.heartbeat / 2, self._look, 0, 0.0)
                if not self.opened.done():
                    self.opened.set_result(None)
            case _:
                for answer in self._handshake.answers(method):
                    self._outbox.write(method_frame(0, answer))
                self.frame_max = self._handshake.frame_max

    def _take_of_closing(self, kind: int, number: int, payload: bytes) -> None:
        """Pass over what comes on a channel that we have closed, until the broker has closed it."""
        if kind != METHOD or number not in self._closing:
            return
        match read_method(payload):
            case commands.Channel.Close():  # it closed it at the same time
                self.send(method_frame(number, commands.Channel.CloseOk()))
            case commands.Channel.CloseOk():
                closing = self._closing.pop(number)
                if not closing.done():
                    closing.set_result(None)
                self._numbers.give(number)

    def _look(self, looks: int, heard_at: float) -> None:
        """Send a heartbeat where nothing else was sent; end where nothing has come for too long.

        Counted in looks: a process that was frozen itself has read nothing meanwhile, and does so before the next one.
        """
        interval = self._handshake.heartbeat / 2
        looks = looks + 1 if heard_at == self.last_heard_at else 0
        if looks >= SILENT_LOOKS:
            self._end(ConnectionLostError("nothing has come from the broker for three heartbeats"))
            return
        if not self._outbox.is_waiting and self._loop.time() - self._outbox.sent_at >= interval / 2:
            self.send(HEARTBEAT_FRAME)
        self._looking = self._loop.call_later(interval, self._look, looks, self.last_heard_at)

    def _end(self, error: AmqpError, *, politely: bool = False) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        if self._looking:
            self._looking.cancel()
        if self._transport:
            # To a peer that has stopped reading, to close what is written takes as long as it likes.
            self._transport.close() if politely else self._transport.abort()
        self._outbox.close()
        self._rest = b""
        if not self.opened.done():
            self.opened.set_exception(error)
            self.opened.exception()  # whoever waited for it may have gone
        channels, self._channels = list(self._channels.values()), {}
        for channel in channels:
            channel.end(error)
        for closing in self._closing.values():
            if not closing.done():
                closing.set_result(None)
        self._closing.clear()
        if not self._lost.done():
            self._lost.set_result(None)
        for callback in tuple(self.on_closed):
            callback(error)


async def connect(url: str, *, name: str, heartbeat: int) -> Connection:
    """Open a connection to the broker at a URL; raise AmqpError with the broker's words, or OSError.

    Cancelled, or timed out, it leaves nothing behind.
    """
    handshake = Handshake.of(url, name, heartbeat)
    _, connection = await asyncio.get_running_loop().create_connection(
        lambda: Connection(handshake), handshake.host, handshake.port, ssl=handshake.tls
    )
    try:
        await connection.opened
    except BaseException:
        connection.abort()
        raise
    return connection
