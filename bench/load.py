"""The load: LMSs that submit and graders that pull, over the legacy HTTP API.

`python -m bench.load submit PORTS COUNT CLIENTS CALLBACK_URL FIRST`, or `pull|poll|result PORTS COUNT CLIENTS`, prints
a pace as a JSON line: pull is of the whole cycle, poll of get_submission alone, result of put_result alone. PORTS are
one or several, with commas: clients take turns.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

import uvloop

from bench.http_client import BusyError, HttpConnection, connect
from bench.pace import Pace, Worker, paced
from bench.payload import QUEUE, REPLY, SubmitRequests, form, request

GET_SUBMISSION = request("GET", f"/xqueue/get_submission/?queue_name={QUEUE}")
# A poll may come before the broker has delivered; a poll that stays empty means that submissions are missing.
MOST_EMPTY_POLLS = 2000
# A broker whose machine is full may let a gateway wait for longer than that lets its callers: they try again, as LMSs
# and graders do, and the wait is part of what their call takes.
MOST_TRIES, BUSY_SECONDS = 20, 0.25


async def submit(ports: Sequence[int], count: int, clients: int, callback_url: str, first: int) -> Pace:
    """Submit `count` times over `clients` connections."""
    requests = SubmitRequests(callback_url)

    def lms(connection: HttpConnection) -> Worker:
        async def submit_one(number: int) -> None:
            _accepted(await _answered(connection, requests.made(number)))

        return submit_one

    async with _connected(ports, clients) as connections:
        return await paced([lms(connection) for connection in connections], count, first)


async def pull(ports: Sequence[int], count: int, clients: int, what: str = "pull") -> Pace:
    """Take and grade `count` submissions with `clients` graders; the pace is that of `what`."""
    async with _connected(ports, clients) as connections:
        return await paced([_grader(connection, what) for connection in connections], count)


@asynccontextmanager
async def _connected(ports: Sequence[int], clients: int) -> AsyncIterator[Sequence[HttpConnection]]:
    connections = [await connect(ports[number % len(ports)]) for number in range(clients)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()


def _grader(connection: HttpConnection, what: str) -> Worker:
    async def grade_one(_: int) -> float | None:
        content, polled = await _taken(connection)
        body = form({"xqueue_header": json.loads(content)["xqueue_header"], "xqueue_body": REPLY})
        began = perf_counter()
        _accepted(await _answered(connection, request("POST", "/xqueue/put_result/", body)))
        return {"poll": polled, "result": perf_counter() - began}.get(what)

    return grade_one


async def _taken(connection: HttpConnection) -> tuple[str, float]:
    """Take a submission; return it, and the seconds of the poll that got it."""
    for _ in range(MOST_EMPTY_POLLS):
        began = perf_counter()
        answer = json.loads(await _answered(connection, GET_SUBMISSION))
        if answer["return_code"] == 0:
            return str(answer["content"]), perf_counter() - began
        await asyncio.sleep(0.005)
    raise RuntimeError(f"no submission left: {answer['content']}")


async def _answered(connection: HttpConnection, what: bytes) -> bytes:
    for _ in range(MOST_TRIES):
        try:
            return await connection.call(what)
        except BusyError:
            await asyncio.sleep(BUSY_SECONDS)
    raise RuntimeError(f"answered 503 each time, {MOST_TRIES} times")


def _accepted(body: bytes) -> None:
    if json.loads(body)["return_code"] != 0:
        raise RuntimeError(f"refused: {body.decode()}")


def main() -> None:
    """Run the load that the command line names."""
    what, told, count, clients, *rest = sys.argv[1:]
    ports = [int(port) for port in told.split(",")]
    if what == "submit":
        callback_url, first = rest
        load = submit(ports, int(count), int(clients), callback_url, int(first))
    else:
        load = pull(ports, int(count), int(clients), what)
    print(uvloop.run(load).as_json())


if __name__ == "__main__":
    main()
