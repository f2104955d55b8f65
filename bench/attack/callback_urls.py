"""Rows 6, 7 and 8: P names callback URLs that are another's, that are answered 500, or that are never answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from time import monotonic

from bench.attack.amqp_grader import amqp_grader, same
from bench.attack.arena import Arena, AttackError
from bench.attack.target import Victim
from tests.support.lms import Answer, Callback, FakeLMS, running_lms

# SUPERSEDE_MIN_AGE, and a moment.
OLD_ENOUGH_SECONDS = 2.5
NO_VICTIM = "left out: no account of a victim's"
GOOD, JUNK = b'{"correct": true, "score": 1, "msg": "good"}', b'{"correct": true, "score": 1, "msg": "junk"}'
JUNK_RESULTS = 12
DELIVERED_SECONDS = 2.0
# An LMS that answers most with an error is taken for sick, whoever made it so: then others wait for a probe.
PROBED_SECONDS = 10.0
WAIT_SECONDS = 60.0


async def others_places(arena: Arena) -> str:
    """Submit to a queue of its own with the callback URLs that wait in another's: all of them stay."""
    victim = arena.target.victim
    if victim is None:
        return NO_VICTIM
    number = min(100, arena.many // 10)
    urls = [f"{arena.lms}/guessable/{n}/score_update" for n in range(number)]
    for url in urls:
        await arena.submit(victim.queue, "victim", url=url, account=victim.account)
    await asyncio.sleep(OLD_ENOUGH_SECONDS)
    for url in urls:
        await arena.submit(arena.target.hostile_queue, "junk", url=url)
    stayed = 0
    with contextlib.suppress(AttackError):
        while stayed < number:
            taken = await arena.take(victim.queue, victim.account, wait=5)
            await arena.put(taken["xqueue_header"], GOOD, victim.account)
            stayed += taken["xqueue_body"] == "victim"
    arena.of_all("the victim's still to be graded", stayed, number)
    await _take_away(arena, number)
    return f"{number} URLs guessed"


async def others_lines(arena: Arena) -> str:
    """Have junk posted to a victim's URL, which the LMS answers 500: the victim's result does not wait behind it."""
    victim = arena.target.victim
    if victim is None:
        return NO_VICTIM
    async with running_lms() as lms:
        lms.answer = lambda callback: Answer(500 if b"junk" in callback.xqueue_body else 200)
        url = lms.callback_url("/victim/score_update")
        for lease in [await arena.lease(url) for _ in range(JUNK_RESULTS)]:
            await arena.put(lease, JUNK)
        await lms.wait_received(1)
        await arena.submit(victim.queue, "victim", url=url, account=victim.account)
        waited = await _until_delivered(arena, victim, lms)
        arena.measured("the victim's result is delivered after", waited, most=PROBED_SECONDS, unit=" s")
        lms.always(200)  # nothing goes on after this attack
        answered = await _until_rest(lms)
    return f"{JUNK_RESULTS} junk results, posted {answered} times"


async def slow_origins(arena: Arena) -> str:
    """Have results posted to very many origins that never answer, and answer only when the attack is over."""
    number = max(20, arena.many * 3 // 10)
    numbers = count(1)
    async with _slow() as slow:

        def url() -> str:
            n = next(numbers)
            return f"http://127.{1 + n // 62_500}.{n // 250 % 250}.{1 + n % 250}:{slow.port}/x"

        async with amqp_grader(arena) as grader:
            for start in range(0, number, 500):
                taken = await grader.take(arena, min(500, number - start), url)
                await grader.publish(*same(grader, taken, GOOD))
        await asyncio.sleep(arena.seconds)
        unanswered = slow.came
        slow.answers.set()
        await _until_none_comes(slow, number)
        arena.of_all("origins that had their result once they answered", len(slow.answered), number)
    return f"{number} origins, {unanswered} callbacks that were not answered"


async def _until_none_comes(slow: "_Slow", number: int) -> None:
    """Return when so many origins have their result, or none got one for longer than a result waits between two tries.

    The time to the last says what the machine is like: of very many that have never answered, those without room go
    round by the longest rung once more, and how many these are is a matter of how quick the relay and the origins are.
    """
    seen, end = 0, monotonic() + WAIT_SECONDS
    while len(slow.answered) < number and monotonic() < end:
        if len(slow.answered) > seen:
            seen, end = len(slow.answered), monotonic() + WAIT_SECONDS
        await asyncio.sleep(0.2)


async def _until_delivered(arena: Arena, victim: Victim, lms: FakeLMS) -> float:
    taken = await arena.take(victim.queue, victim.account)
    began = monotonic()
    await arena.put(taken["xqueue_header"], GOOD, victim.account)

    def is_good(callback: Callback) -> bool:
        return b"good" in callback.xqueue_body

    while not (good := list(filter(is_good, lms.accepted))):
        if monotonic() > began + WAIT_SECONDS:
            return WAIT_SECONDS
        await asyncio.sleep(0.02)
    return good[0].at - began


async def _until_rest(lms: FakeLMS) -> int:
    """Wait until all junk is delivered, or given up for the newer result; return how many callbacks came."""
    seen = -1
    while seen != len(lms.received) and len(lms.accepted) <= JUNK_RESULTS:
        seen = len(lms.received)
        await asyncio.sleep(3)
    return len(lms.received)


async def _take_away(arena: Arena, number: int) -> None:
    for _ in range(number):
        taken = await arena.take(arena.target.hostile_queue, arena.target.grader)
        await arena.put(taken["xqueue_header"], JUNK)


@dataclass
class _Slow:
    port: int = 0
    came: int = 0
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    answered: set[bytes] = field(default_factory=set)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a head, and say nothing before all are answered."""
        self.came += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            await self.answers.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            self.answered.add(head.lower().partition(b"host:")[2].split(b"\r\n", 1)[0])
        writer.close()


@contextlib.asynccontextmanager
async def _slow() -> AsyncIterator[_Slow]:
    """Listen at each address of the loopback, which Linux has."""
    slow = _Slow()
    server = await asyncio.start_server(slow.take, "0.0.0.0", backlog=1000)
    slow.port = server.sockets[0].getsockname()[1]
    async with server:
        yield slow
