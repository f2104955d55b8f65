"""An application of three paths as a gateway would serve it, and clients that speak to it byte by byte."""

import asyncio

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.http.connection import Bounds, bounded

SECONDS = 30.0


class Service:
    """An application that is ready when it is told to be, and has one path that takes until then, too."""

    def __init__(self) -> None:
        self.ready, self.let_go, self.asked = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.app = Starlette(routes=[Route("/readyz", self.readyz), Route("/", self.quick), Route("/poll", self.poll)])

    async def readyz(self, _: Request) -> Response:
        return PlainTextResponse(status_code=200 if self.ready.is_set() else 503)

    async def quick(self, _: Request) -> Response:
        return PlainTextResponse("quick")

    async def poll(self, _: Request) -> Response:
        self.asked.set()
        await self.let_go.wait()
        return PlainTextResponse("polled")


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    def asks(self, path: str = "/") -> None:
        self.writer.write(f"GET {path} HTTP/1.1\r\nhost: here\r\n\r\n".encode())

    async def answer(self) -> tuple[str, bool]:
        """Return the text of an answer, and whether it says that the connection closes."""
        async with asyncio.timeout(SECONDS):
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            body = await self._reader.readexactly(int(length.split()[1]))
        return body.decode(), b"connection: close" in head

    async def is_hung_up_on(self) -> bool:
        async with asyncio.timeout(SECONDS):
            return await self._reader.read() == b""


def served(service: Service) -> uvicorn.Config:
    """How a gateway's server is told to serve, as far as connections go."""
    bounds = Bounds(connections=100, head_size=65536, head_seconds=SECONDS, body_seconds=SECONDS, stall_seconds=SECONDS)
    return uvicorn.Config(
        service.app,
        http=bounded(bounds),  # type: ignore[arg-type]
        ws="none",
        lifespan="on",
        log_config=None,
    )
