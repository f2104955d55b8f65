"""A large reply arrives byte for byte, signed, and its form is never in memory whole."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from math import inf
from pathlib import Path
from time import monotonic

import pytest
from standardwebhooks import Webhook
from yarl import URL

from broker_setup.wire.properties import MAX_MESSAGE_BYTES
from callback_relay.callback import Callback
from callback_relay.outcome import Answered
from callback_relay.poster import ONE_PIECE, Poster, poster_for
from tests.support.broker import VHost
from tests.support.heartbeat import PROGRAM, Heartbeat, Stall
from tests.support.lms import running_lms
from tests.support.relay import relay_process, results_at, settings_for

KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MIB = 1024 * 1024
# Seconds of the event loop alone, and of all threads.
MOST = Stall(0.2, 0.25)
TRIES = 3


def poster() -> Poster:
    return poster_for(settings_for("amqp://nobody", requests_timeout=60, callback_signing_key=KEY))


class Sink:
    """An LMS that keeps nothing of what it gets but its length and its digest."""

    def __init__(self) -> None:
        self.length = 0
        self.digest = sha256()
        self.url = ""

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        left = int(length.split(b":")[1])
        while left and (piece := await reader.read(min(left, 64 * 1024))):
            left -= len(piece)
            self.length += len(piece)
            self.digest.update(piece)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()


@asynccontextmanager
async def running_sink() -> AsyncIterator[Sink]:
    sink = Sink()
    server = await asyncio.start_server(sink.take, "127.0.0.1", 0)
    async with server:
        sink.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        yield sink


async def test_a_form_three_times_as_large_as_the_largest_reply_takes_little_memory() -> None:
    async with running_sink() as sink, poster() as posting:
        callback = Callback(URL(sink.url), b"{}", b"\xff" * MAX_MESSAGE_BYTES, "id")
        form = callback.form()
        expected, length = sha256(form).digest(), len(form)
        del form
        tracemalloc.start()
        try:
            assert await posting.post(callback) == Answered(200)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (sink.length, sink.digest.digest()) == (length, expected)
    assert most < 4 * MIB


async def test_a_large_form_is_signed_as_it_is_sent_and_so_is_a_small_one() -> None:
    async with running_lms() as lms, poster() as posting:
        for body in (b"x+ %\xff" * ONE_PIECE, b"x+ %\xff"):
            assert await posting.post(Callback(URL(lms.callback_url("/x")), b"{}", body, "id")) == Answered(200)
            received = lms.received.pop()
            assert received.xqueue_body == body
            headers = {name.lower(): value for name, value in received.headers.items()}
            Webhook(KEY).verify(received.body, headers, json_parse=False)


async def test_encoding_a_large_form_leaves_others_their_turn() -> None:
    async with running_sink() as sink, poster() as posting:
        body = bytes(range(256)) * (MAX_MESSAGE_BYTES // 256)
        callback = Callback(URL(sink.url), b"{}", body, "id")
        began = monotonic()
        callback.form()
        in_one_go = monotonic() - began
        posted = asyncio.create_task(posting.post(callback))
        longest, last = 0.0, monotonic()
        while not posted.done():
            await asyncio.sleep(0)
            longest, last = max(longest, monotonic() - last), monotonic()
        assert posted.result() == Answered(200)
    assert longest < in_one_go / 2


async def test_the_largest_results_leave_others_their_turn(
    vhost: VHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heartbeat, shortest = Heartbeat("callback_relay", tmp_path), Stall(inf, inf)
    for name, value in heartbeat.environment.items():
        monkeypatch.setenv(name, value)
    settings = settings_for(vhost.amqp_url, requests_timeout=60)
    largest = b"largest " * (14 * MIB // 8)
    async with (
        running_lms() as lms,
        results_at(settings) as results,
        relay_process(settings, tmp_path / "relay.log", PROGRAM),
    ):
        for number in range(TRIES):
            await asyncio.to_thread(heartbeat.begin)
            received = len(lms.received)
            # One is delivered, and one goes on a rung and comes back.
            lms.next_answers(200, 500)
            for which in range(2):
                await results.put(lms.header(f"{number} {which}", path=f"/x/{number}/{which}"), largest)
            await lms.wait_received(received + 3, within=60)
            await results.rest(settings, within=60)
            shortest = shortest.shortest(await asyncio.to_thread(heartbeat.longest))
            if shortest.is_below(MOST):
                break
    assert shortest.is_below(MOST)
