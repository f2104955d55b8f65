"""Many servers that answer together, each in chunks of one byte: relay and bridge go on meanwhile."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import thread_time

from yarl import URL

from broker_setup.settings import Settings
from callback_relay.callback import Callback
from callback_relay.outcome import Answered
from callback_relay.poster import poster_for
from gateway.passive.grader import Failed, graders_for
from tests.support.hostile import answering_together
from tests.support.passive import settings_for

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# 300 KB, more than the kernel hands over at once.
TINY = CHUNKED + b"1\r\nx\r\n" * 50_000
SERVERS = 16
# Of CPU, for which a busy machine counts little; half of what nothing may take.
MOST_SECONDS = 0.125


class Watch:
    """The longest that the event loop took from one round to the next, in seconds of its own thread."""

    longest = 0.0

    async def look(self) -> None:
        while True:
            began = thread_time()
            await asyncio.sleep(0)
            self.longest = max(self.longest, thread_time() - began)


@asynccontextmanager
async def watching() -> AsyncIterator[Watch]:
    watch = Watch()
    # What other tests left in memory takes long to look through, and is none of the matter.
    gc.collect()
    gc.disable()
    looking = asyncio.create_task(watch.look())
    try:
        yield watch
    finally:
        gc.enable()
        looking.cancel()
        await asyncio.wait({looking})


async def test_the_relay_does_not_stand_still() -> None:
    with answering_together(SERVERS, TINY) as url:
        async with poster_for(Settings(requests_timeout=60.0)) as poster, watching() as watch:
            calls = [poster.post(Callback(URL(url), b"{}", b"reply")) for _ in range(SERVERS)]
            outcomes = await asyncio.gather(*calls)
    assert outcomes == [Answered(200)] * SERVERS
    assert watch.longest < MOST_SECONDS


async def test_the_bridge_does_not_stand_still() -> None:
    at_once = SERVERS // 2
    with answering_together(SERVERS, TINY) as url:
        # Two queues whose graders answer together have no two shares of the event loop's time.
        queues = {"one": url, "other": url}
        settings = settings_for("amqp://localhost/", queues, grading_timeout=60.0, grading_concurrency=at_once)
        one, other = graders_for(settings).values()
        async with one, other, watching() as watch:
            calls = [grader.grade(b"{}") for grader in (one, other) for _ in range(at_once)]
            outcomes = await asyncio.gather(*calls)
    assert outcomes == [Failed("the answer broke off")] * len(calls)
    assert watch.longest < MOST_SECONDS
