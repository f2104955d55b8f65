"""A program of the bench: graders that wait for work, by long polls on a queue in which there is none.

`python -m bench.hold PORT COUNT QUEUE` says "ready" once all wait, and polls until it is stopped.
"""

import asyncio
import sys

import uvloop

from bench.http_client import connect
from bench.payload import request

WAIT_SECONDS = 50
# So many connect together: a listener's line of those that wait to be taken is short.
TOGETHER = 50
# In which a gateway has taken what was sent.
TAKEN_SECONDS = 1.0


async def hold(port: int, count: int, queue: str) -> None:
    """Poll on `count` connections, for ever."""
    poll = request("GET", f"/xqueue/get_submission/?queue_name={queue}&wait={WAIT_SECONDS}")

    async def wait_for_work() -> None:
        connection = await connect(port)
        waiting.release()
        while True:
            await connection.call(poll)

    waiting = asyncio.Semaphore(0)
    async with asyncio.TaskGroup() as graders:
        for begin in range(0, count, TOGETHER):
            together = min(TOGETHER, count - begin)
            for _ in range(together):
                graders.create_task(wait_for_work())
            for _ in range(together):
                await waiting.acquire()
        await asyncio.sleep(TAKEN_SECONDS)
        print("ready", flush=True)


if __name__ == "__main__":
    uvloop.run(hold(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
