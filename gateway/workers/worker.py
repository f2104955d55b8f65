"""A worker: a full gateway on its parent's sockets, which says how far it is, and retires when it is told to."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from broker_setup.errors import XQueueError
from broker_setup.link.essential import essential
from gateway.leaving import LOOK_EVERY_SECONDS, leave
from gateway.workers.patience import Patient, is_ready
from gateway.workers.tally import EVERY_SECONDS
from gateway.workers.words import ALIVE, READY, RETIRE, SERVING

# A retired worker stays no longer than this: a long poll lasts up to 60 s, and a client may keep a connection for 75 s
# without asking anything; what it asks then is answered, and the answer tells it to close.
RETIRING_SECONDS = 90.0
ALIVE_EVERY_SECONDS = 2.0


class ParentGoneError(XQueueError):
    """The process that looks after this one has ended: nobody else would stop it."""


@dataclass
class _Told:
    """What the parent has said."""

    open: asyncio.Event = field(default_factory=asyncio.Event)
    retire: asyncio.Event = field(default_factory=asyncio.Event)


async def work(
    server: uvicorn.Server, sockets: Sequence[socket.socket], line: socket.socket, report: Callable[[], None]
) -> None:
    """Serve on these sockets until told to stop or to retire, or until whoever holds the line's other end is gone.

    Meanwhile, and at the end, `report`s on what has happened here.
    """
    words, answers = await asyncio.open_connection(sock=line)
    told, application = _Told(), cast("ASGIApp", server.config.app)
    server.config.app = Patient(application, lambda: told.open.is_set() or server.should_exit)
    tasks = {
        "words of the parent": _listen(words, told),
        "words to the parent": _tell(server, application, answers),
        "signs of life": _live(answers),
        "retirement": _retire(server, told),
        "reports": _report(report),
    }
    try:
        async with essential(tasks):
            await server.serve(sockets=list(sockets))
    finally:
        report()
        answers.close()


async def _listen(words: asyncio.StreamReader, told: _Told) -> None:
    while word := await words.read(1):
        (told.retire if word == RETIRE else told.open).set()
    raise ParentGoneError("the parent process has ended")


async def _tell(server: uvicorn.Server, application: ASGIApp, answers: asyncio.StreamWriter) -> None:
    await _started(server)
    answers.write(SERVING)
    while not await is_ready(application):  # noqa: ASYNC110 - it asks
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    answers.write(READY)
    await _for_ever()


async def _live(answers: asyncio.StreamWriter) -> None:
    while True:
        answers.write(ALIVE)
        await asyncio.sleep(ALIVE_EVERY_SECONDS)


async def _report(report: Callable[[], None]) -> None:
    while True:
        report()
        await asyncio.sleep(EVERY_SECONDS)


async def _retire(server: uvicorn.Server, told: _Told) -> None:
    await told.retire.wait()
    told.open.set()
    await _started(server)
    await leave(server, RETIRING_SECONDS)
    server.should_exit = True
    await _for_ever()


async def _started(server: uvicorn.Server) -> None:
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()
