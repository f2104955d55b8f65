"""A fake LMS: a real HTTP server on a free loopback port that records callbacks as they came and answers as told."""

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes
from zlib import crc32

from aiohttp import web

from tests.support.ports import free_port

LOOPBACK = "127.0.0.1"
BLOCK = "block-v1:a@problem+block@b"
# Above the largest message that a broker takes, urlencoded at worst.
_LARGEST_BODY = 64 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What the LMS says, `delay` seconds after the whole request is in."""

    status: int = 200
    delay: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Callback:
    """One request as it came; `at` is monotonic seconds."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @cached_property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The urlencoded form's fields in their order, decoded to the sender's bytes."""
        pairs = (pair.partition(b"=") for pair in self.body.split(b"&"))
        return [(_unquoted(name), _unquoted(value)) for name, _, value in pairs]

    @cached_property
    def xqueue_header(self) -> bytes:
        return dict(self.fields)[b"xqueue_header"]

    @property
    def xqueue_body(self) -> bytes:
        return dict(self.fields)[b"xqueue_body"]

    @cached_property
    def lms_key(self) -> Any:
        """The key that the LMS put into its header: what tells submissions apart here."""
        return json.loads(self.xqueue_header)["lms_key"]


class FakeLMS:
    """Start it with `running_lms()`; stop and start it again on the same port to play an outage.

    Set `answer` to any function of a callback; by default it says what `next_answers` were given, then 200.
    """

    def __init__(self) -> None:
        self.received: list[Callback] = []
        self.accepted: list[Callback] = []  # those that were answered with 200
        self.answer: Callable[[Callback], Answer] = self._planned
        self.goes_on = asyncio.Event()  # while it is not set, all callbacks wait for their answers
        self.goes_on.set()
        self.under_way = 0
        self.most_under_way = 0
        self._plan: deque[Answer] = deque()
        self._port = free_port()
        self._runner: web.AppRunner | None = None
        self._news = asyncio.Condition()

    @property
    def origin(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    def callback_url(self, path: str) -> str:
        return f"{self.origin}{path}"

    def header(self, lms_key: str = "key", *, path: str | None = None, queue: str = "openedx") -> str:
        """Make an xqueue_header as an LMS sends it; each key has a callback URL of its own, or that of `path`."""
        student = crc32(lms_key.encode(errors="surrogatepass"))
        url = self.callback_url(path or f"/courses/course-v1:X+Y+Z/xqueue/{student}/{BLOCK}/score_update")
        return json.dumps({"lms_callback_url": url, "lms_key": lms_key, "queue_name": queue})

    def next_answers(self, *answers: Answer | int) -> None:
        """Say these, in order, to the callbacks that come next; a number is an answer of that status."""
        self._plan.extend(Answer(answer) if isinstance(answer, int) else answer for answer in answers)

    def always(self, answer: Answer | int) -> None:
        """Say this to every callback from now on."""
        said = Answer(answer) if isinstance(answer, int) else answer
        self.answer = lambda _: said

    async def wait_received(self, count: int, within: float = 60) -> list[Callback]:
        """Return once `count` callbacks have come; fail with what came where that takes longer."""
        return await self._wait(lambda: self.received, count, within)

    async def wait_accepted(self, count: int, within: float = 60) -> list[Callback]:
        """Return once `count` callbacks were answered with 200."""
        return await self._wait(lambda: self.accepted, count, within)

    async def start(self) -> None:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, LOOPBACK, self._port, reuse_address=True)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Refuse connections; what is under way is cut off."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def _planned(self, _: Callback) -> Answer:
        return self._plan.popleft() if self._plan else Answer()

    async def _wait(self, seen: Callable[[], list[Callback]], count: int, within: float) -> list[Callback]:
        try:
            async with asyncio.timeout(within), self._news:
                await self._news.wait_for(lambda: len(seen()) >= count)
        except TimeoutError:
            raise AssertionError(f"{len(seen())} callbacks of {count} within {within} s") from None
        return seen()

    async def _take(self, request: web.Request) -> web.Response:
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            callback = Callback(
                request.method,
                request.raw_path,
                dict(request.headers),
                await request.read(),
                monotonic(),
            )
            await self._note(self.received, callback)
            await self.goes_on.wait()
            answer = self.answer(callback)
            if answer.delay:
                await asyncio.sleep(answer.delay)
            if answer.status == web.HTTPOk.status_code:
                await self._note(self.accepted, callback)
            return web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        finally:
            self.under_way -= 1

    async def _note(self, into: list[Callback], callback: Callback) -> None:
        async with self._news:
            into.append(callback)
            self._news.notify_all()


@contextlib.asynccontextmanager
async def running_lms() -> AsyncIterator[FakeLMS]:
    """Run a fake LMS for as long as the block runs."""
    lms = FakeLMS()
    await lms.start()
    try:
        yield lms
    finally:
        await lms.stop()


@contextlib.asynccontextmanager
async def several_lms(count: int) -> AsyncIterator[list[FakeLMS]]:
    """Run so many."""
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(running_lms()) for _ in range(count)]


def _unquoted(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
