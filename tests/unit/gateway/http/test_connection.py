"""One connection as the gateway reads it: upgrades are ignored, pipelined requests wait, a crowd is bounded."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable
from functools import partial

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from uvicorn.server import ServerState

from gateway.http import crowd
from gateway.http.connection import BoundedConnection, Bounds, bounded
from gateway.http.one_by_one import BEGUN_AT_ONCE, Line

ROOM = 40
SECONDS = 20.0


class Service:
    """An application behind the gateway's connections that says what it was asked; some requests wait until let go."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.under_way = 0
        routes = [
            Route("/healthz", self.echo, methods=["GET", "POST"]),
            Route("/echo", self.echo, methods=["GET", "POST"]),
            Route("/wait", self.wait),
        ]
        self.app = Starlette(routes=routes)

    async def echo(self, request: Request) -> Response:
        return JSONResponse({"method": request.method, "body": (await request.body()).decode("latin-1")})

    async def wait(self, request: Request) -> Response:
        self.under_way += 1
        await self.let_go.wait()
        return JSONResponse({})


class Wire:
    """A client that sends what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def answer(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status = int(head.split()[1])
            if status == 100:
                return status, {}
            length = next(
                int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")
            )
            return status, json.loads(await self.reader.readexactly(length))

    async def is_closed(self) -> bool:
        async with asyncio.timeout(SECONDS):
            try:
                return not await self.reader.read(1)
            except ConnectionError:
                return True


@pytest.fixture
async def service() -> Service:
    return Service()


@pytest.fixture
async def state() -> ServerState:
    return ServerState()


@pytest.fixture
async def connect(service: Service, state: ServerState) -> AsyncIterator[Callable[[], "asyncio.Future[Wire]"]]:
    bounds = Bounds(
        connections=ROOM, head_size=65536, head_seconds=SECONDS, body_seconds=10 * SECONDS, stall_seconds=SECONDS
    )
    config = uvicorn.Config(service.app, lifespan="off", log_config=None)
    config.load()
    made, wires = bounded(bounds), []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: made(config=config, server_state=state, app_state={}), "127.0.0.1", 0)

    async def connect() -> Wire:
        wire = Wire(*await asyncio.open_connection(*server.sockets[0].getsockname()))
        wires.append(wire)
        return wire

    yield lambda: asyncio.ensure_future(connect())
    service.let_go.set()
    for wire in wires:
        wire.writer.close()
    server.close()
    while state.connections:
        for each in list(state.connections):
            each.transport.abort()
        await asyncio.sleep(0.01)


Connect = Callable[[], "asyncio.Future[Wire]"]
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"


@pytest.mark.parametrize("upgrade", [H2C, H2C.upper(), b"Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n"])
@pytest.mark.parametrize("cut", [1, 7, 100_000])
async def test_a_request_that_asks_to_upgrade_keeps_its_body(connect: Connect, upgrade: bytes, cut: int) -> None:
    wire = await connect()
    body = bytes(range(256)) * 3
    plain = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 768\r\n"
    chunked = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    sent = b"".join([
        plain + upgrade + b"\r\n" + body,
        chunked + upgrade + b"\r\n300\r\n" + body + b"\r\n0\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost: x\r\n" + upgrade + b"\r\n",
        plain + b"\r\n" + body,
    ])  # fmt: skip
    for start in range(0, len(sent), cut):
        wire.send(sent[start : start + cut])
        if cut < len(sent):
            await asyncio.sleep(0)
    whole = {"method": "POST", "body": body.decode("latin-1")}
    answers = [await wire.answer() for _ in range(4)]
    assert answers == [(200, whole), (200, whole), (200, {"method": "GET", "body": ""}), (200, whole)]


async def test_a_request_that_asks_to_upgrade_and_whether_it_may_send_is_told_to_go_on(connect: Connect) -> None:
    wire = await connect()
    wire.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n" + H2C + b"\r\n")
    assert await wire.answer() == (100, {})
    wire.send(b"ok")
    assert await wire.answer() == (200, {"method": "POST", "body": "ok"})


async def test_connect_is_refused(connect: Connect) -> None:
    wire = await connect()
    wire.send(b"CONNECT other:80 HTTP/1.1\r\nHost: other:80\r\n\r\nmore")
    head = await wire.reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")


async def test_an_old_client_has_its_answer_and_the_connections_end(connect: Connect) -> None:
    wire = await connect()
    wire.send(b"POST /echo HTTP/1.0\r\nContent-Length: 2\r\n\r\nok")
    assert await wire.answer() == (200, {"method": "POST", "body": "ok"})
    assert await wire.is_closed()


@pytest.mark.unmeasured
async def test_pipelined_requests_are_answered_in_turn_however_many(connect: Connect) -> None:
    wire = await connect()
    count = 2_000
    wire.send(b"".join(b"POST /echo HTTP/1.1\r\nContent-Length: 4\r\n\r\n%04d" % number for number in range(count)))
    assert [int((await wire.answer())[1]["body"]) for _ in range(count)] == list(range(count))


async def test_of_what_stands_behind_requests_a_few_begin_in_each_round_of_the_event_loop() -> None:
    line, begun, loop = Line(), list[int](), asyncio.get_running_loop()
    for number in range(3 * BEGUN_AT_ONCE + 1):
        line.join(loop, partial(begun.append, number))
    counts = []
    while len(begun) <= 3 * BEGUN_AT_ONCE:
        counts.append(len(begun))
        await asyncio.sleep(0)
    assert counts == [0, BEGUN_AT_ONCE, 2 * BEGUN_AT_ONCE, 3 * BEGUN_AT_ONCE]
    assert begun == sorted(begun)
    line.join(loop, partial(begun.append, -1))
    await asyncio.sleep(0)
    assert begun[-1] == -1


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_of_what_stands_behind_a_body_a_dozen_requests_are_taken_in(
    connect: Connect, service: Service, state: ServerState, framing: str
) -> None:
    body = b"x" * 5_000
    head, sent = {
        "length": (b"Content-Length: 5000", body),
        "chunks": (b"Transfer-Encoding: chunked", b"1388\r\n" + body + b"\r\n0\r\n\r\n"),
    }[framing]
    wire = await connect()
    wire.send(b"GET /wait HTTP/1.1\r\n" + head + b"\r\n\r\n" + sent + b"GET /echo HTTP/1.1\r\n\r\n" * 500)
    while not service.under_way:
        await asyncio.sleep(0.01)
    for _ in range(20):
        await asyncio.sleep(0.01)
    (taker,) = state.connections
    assert isinstance(taker, BoundedConnection)
    assert len(taker.pipeline) < 14
    service.let_go.set()
    for _ in range(501):
        assert (await wire.answer())[0] == 200


@pytest.mark.unmeasured
async def test_bodies_in_tiny_chunks_leave_others_their_rounds_of_the_event_loop(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunks = 5_000
    taken = in_this_round = most = 0
    on_body = BoundedConnection.on_body

    def counted(self: BoundedConnection, body: bytes) -> None:
        nonlocal taken, in_this_round
        taken, in_this_round = taken + 1, in_this_round + 1
        on_body(self, body)

    monkeypatch.setattr(BoundedConnection, "on_body", counted)
    wires = [await connect() for _ in range(ROOM)]
    for wire in wires:
        wire.send(b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * chunks)
    async with asyncio.timeout(SECONDS):
        while taken < ROOM * chunks:
            await asyncio.sleep(0)
            most, in_this_round = max(most, in_this_round), 0
    assert most < ROOM * chunks / 10
    for wire in wires:
        wire.send(b"0\r\n\r\n")
        assert (await wire.answer())[1]["body"] == "a" * chunks


async def test_a_large_body_behind_another_request_arrives_whole(connect: Connect) -> None:
    wire = await connect()
    body = b"x" * 500_000
    wire.send(b"GET /echo HTTP/1.1\r\n\r\n" * 300)
    wire.send(b"POST /echo HTTP/1.1\r\nContent-Length: 500000\r\n\r\n" + body)
    for _ in range(300):
        assert (await wire.answer())[0] == 200
    assert len((await wire.answer())[1]["body"]) == len(body)


@pytest.mark.unmeasured
async def test_a_head_that_is_cut_behind_pipelined_requests_is_read_on(connect: Connect) -> None:
    wire = await connect()
    wire.send(b"GET /echo HTTP/1.1\r\n\r\n" * 1_000 + b"GET /echo HT")
    for _ in range(1_000):
        assert (await wire.answer())[0] == 200
    wire.send(b"TP/1.1\r\n\r\n")
    assert (await wire.answer())[0] == 200


async def test_requests_behind_one_that_waits_take_hardly_more_memory_than_their_bytes(
    connect: Connect, service: Service
) -> None:
    wire = await connect()
    wire.send(b"GET /wait HTTP/1.1\r\n\r\n")
    while not service.under_way:
        await asyncio.sleep(0.01)
    tracemalloc.start()
    try:
        wire.send(b"GET /echo HTTP/1.1\r\n\r\n" * 12_000)
        for _ in range(50):
            await asyncio.sleep(0.01)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken < 2_000_000, "the requests were taken in, not their bytes"


async def test_silent_connections_make_room_for_a_late_one_and_it_is_served(connect: Connect) -> None:
    silent = [await connect() for _ in range(ROOM)]
    await asyncio.sleep(1.1)  # the time that a newcomer has to begin
    late = await connect()
    late.send(b"GET /echo HTTP/1.1\r\n\r\n")
    assert (await late.answer())[0] == 200
    assert await silent[0].is_closed()
    silent[1].send(b"GET /echo HTTP/1.1\r\n\r\n")
    assert (await silent[1].answer())[0] == 200


async def test_bodies_that_drip_make_room_for_a_late_one_and_a_probe_is_answered_meanwhile(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "PATIENCE_SECONDS", 0.3)
    dripping = [await connect() for _ in range(ROOM)]
    for wire in dripping:
        wire.send(b"POST /echo HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
    ended = asyncio.gather(*(wire.is_closed() for wire in dripping))

    async def drip() -> None:
        while True:
            for wire in dripping:
                wire.send(b"x")
            await asyncio.sleep(0.05)

    drips = asyncio.create_task(drip())
    try:
        async with asyncio.timeout(SECONDS):
            while True:
                late, probe = await connect(), await connect()
                probe.send(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
                assert (await probe.answer())[0] == 200
                late.send(b"GET /echo HTTP/1.1\r\n\r\n")
                if (await late.answer())[0] == 200:
                    break
                await asyncio.sleep(0.1)
    finally:
        drips.cancel()
        ended.cancel()


async def test_where_all_are_being_served_only_the_late_one_is_refused_and_a_probe_is_answered(
    connect: Connect, service: Service
) -> None:
    busy = [await connect() for _ in range(ROOM)]
    for wire in busy:
        wire.send(b"GET /wait HTTP/1.1\r\n\r\n")
    while service.under_way < ROOM:
        await asyncio.sleep(0.01)
    late, probe = await connect(), await connect()
    late.send(b"GET /echo HTTP/1.1\r\n\r\n")
    assert (await late.answer())[0] == 503
    probe.send(b"GET /healthz HTTP/1.1\r\n\r\n")
    assert (await probe.answer())[0] == 200
    service.let_go.set()
    for wire in busy:
        assert (await wire.answer())[0] == 200
