"""The load: LMSs that submit and graders that pull, over the legacy HTTP API.

`python -m bench.load submit|pull PORT COUNT CLIENTS [CALLBACK_URL FIRST]` prints its pace as a JSON line.
"""

import asyncio
import json
import sys

import uvloop

from bench.http_client import HttpConnection, connect
from bench.pace import Pace, Worker, paced
from bench.payload import QUEUE, REPLY, SubmitRequests, form, request

GET_SUBMISSION = request("GET", f"/xqueue/get_submission/?queue_name={QUEUE}")
# A poll may come before the broker has delivered; a poll that stays empty means that submissions are missing.
MOST_EMPTY_POLLS = 2000


async def submit(port: int, count: int, clients: int, callback_url: str, first: int) -> Pace:
    """Submit `count` times over `clients` connections."""
    requests = SubmitRequests(callback_url)

    def lms(connection: HttpConnection) -> Worker:
        async def submit_one(number: int) -> None:
            _accepted(await connection.call(requests.made(number)))

        return submit_one

    connections = [await connect(port) for _ in range(clients)]
    pace = await paced([lms(connection) for connection in connections], count, first)
    for connection in connections:
        connection.close()
    return pace


async def pull(port: int, count: int, clients: int) -> Pace:
    """Take and grade `count` submissions with `clients` graders."""
    connections = [await connect(port) for _ in range(clients)]
    pace = await paced([_grader(connection) for connection in connections], count)
    for connection in connections:
        connection.close()
    return pace


def _grader(connection: HttpConnection) -> Worker:
    async def grade_one(_: int) -> None:
        for _ in range(MOST_EMPTY_POLLS):
            answer = json.loads(await connection.call(GET_SUBMISSION))
            if answer["return_code"] == 0:
                break
            await asyncio.sleep(0.005)
        else:
            raise RuntimeError(f"no submission left: {answer['content']}")
        header = json.loads(answer["content"])["xqueue_header"]
        body = form({"xqueue_header": header, "xqueue_body": REPLY})
        _accepted(await connection.call(request("POST", "/xqueue/put_result/", body)))

    return grade_one


def _accepted(body: bytes) -> None:
    if json.loads(body)["return_code"] != 0:
        raise RuntimeError(f"refused: {body.decode()}")


def main() -> None:
    """Run the load that the command line names."""
    what, port, count, clients, *rest = sys.argv[1:]
    if what == "submit":
        callback_url, first = rest
        load = submit(int(port), int(count), int(clients), callback_url, int(first))
    else:
        load = pull(int(port), int(count), int(clients))
    print(uvloop.run(load).as_json())


if __name__ == "__main__":
    main()
