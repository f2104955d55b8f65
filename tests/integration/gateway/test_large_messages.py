"""Large submissions and the largest results leave everybody else their turn while they go through a gateway."""

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import inf
from urllib.parse import quote_plus

import pytest

from tests.support.broker import VHost
from tests.support.gateway import Client, Gateway, lms_header, running_gateway
from tests.support.heartbeat import PROGRAM, Heartbeat, Stall

MIB = 1024 * 1024
SIZE = 14 * MIB
# Of the event loop alone, and of all threads: while one of them has the interpreter, the loop waits.
MOST = Stall(0.15, 0.25)
# A delivery is decoded where it comes in; one of 14 MiB takes 0.1 s of that, and twice as long on a busy machine.
MOST_FOR_SUBMISSIONS = Stall(0.25, 0.25)
# AT_ONCE=12 is as many forms as one account's share of MAX_FORMS_SIZE lets in, and takes half a minute.
AT_ONCE = int(os.environ.get("AT_ONCE", "3"))
TRIES = 3
HEAD = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
def beating(module_vhost: VHost, tmp_path_factory: pytest.TempPathFactory, heartbeat: Heartbeat) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = heartbeat.environment | {"XQUEUE_MAX_REPLY_SIZE": str(15 * MIB)}
    with running_gateway(module_vhost.amqp_url, folder, settings=settings, program=PROGRAM) as gateway:
        yield gateway


def longest_stall(heartbeat: Heartbeat, act: Callable[[], object], most: Stall) -> Stall:
    """Return the longest stall while `act` runs, of the best of some runs: the collector may come in any of them."""
    longest = Stall(inf, inf)
    for _ in range(TRIES):
        heartbeat.begin()
        act()
        longest = longest.shortest(heartbeat.longest())
        if longest.is_below(most):
            break
    return longest


def together(count: int, call: Callable[[], object]) -> None:
    with ThreadPoolExecutor(count) as threads:
        for done in [threads.submit(call) for _ in range(count)]:
            done.result()


def post(gateway: Gateway, user: str, call: str, header: str, body: bytes) -> None:
    """Make a call; where many come together, some may be told to try again, and what counts here are the others."""
    with Client(gateway.url, user) as client:
        form = b"xqueue_header=" + quote_plus(header).encode() + b"&xqueue_body=" + body
        assert client.call("POST", call, data=form, headers=HEAD, timeout=100)[0] in (0, 1)


@pytest.mark.parametrize("count", [1, AT_ONCE])
def test_the_largest_results_leave_others_their_turn(beating: Gateway, heartbeat: Heartbeat, count: int) -> None:
    reply = b'{"correct": true, "score": 1, "msg": "<p>' + b"x" * SIZE + b'</p>"}'

    def put() -> None:
        with Client(beating.url, "lms") as lms, Client(beating.url, "grader") as grader:
            assert lms.submit(lms_header(), "work")[0] == 0
            leased = grader.get_one()["xqueue_header"]
        post(beating, "grader", "put_result/", leased, reply)

    longest = longest_stall(heartbeat, partial(together, count, put), MOST)
    assert longest.is_below(MOST)


def test_large_submissions_leave_others_their_turn(beating: Gateway, heartbeat: Heartbeat) -> None:
    def hand_out() -> None:
        post(beating, "lms", "submit/", lms_header(), b"x" * (SIZE // 2))
        with Client(beating.url, "grader") as grader:
            code, content = grader.call("GET", "get_submission/", params={"queue_name": "openedx", "wait": 20})
            if code == 0:
                grader.put(json.loads(str(content))["xqueue_header"], "reply")

    longest = longest_stall(heartbeat, partial(together, AT_ONCE, hand_out), MOST_FOR_SUBMISSIONS)
    assert longest.is_below(MOST_FOR_SUBMISSIONS)
