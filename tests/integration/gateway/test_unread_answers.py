"""Answers that nobody reads: they stand in memory in pieces, and all of them together are bounded, by account."""

import base64
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.support.broker import VHost
from tests.support.gateway import PATIENCE_SECONDS, USERS, Client, Gateway, lms_header, running_gateway
from tests.support.memory import MIB, Memory
from tests.support.raw_http import Connection

# One rare sign makes four bytes in memory of each: so three of them are three quarters of the room.
SIZE, COUNT, IN_SHARE = 3_900_000, 5, 3
ROOM = 64 * MIB
POLL = f"/xqueue/get_submission/?queue_name=openedx&wait={PATIENCE_SECONDS:g}"
HEAD = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def gateway(vhost: VHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(vhost.amqp_url, folder, settings={"XQUEUE_MAX_ANSWERS_SIZE": str(ROOM)}) as gateway:
        yield gateway


def polled(gateway: Gateway, user: str) -> Connection:
    """Ask for a submission, and read of the answer no more than fits into the smallest buffers."""
    asked = Connection(gateway.url, PATIENCE_SECONDS, receive_buffer=4096)
    secret = base64.b64encode(f"{user}:{USERS[user]}".encode())
    asked.request("GET", POLL, headers={"Authorization": b"Basic " + secret})
    return asked


def test_graders_that_read_nothing_take_no_more_than_their_share_and_lose_nothing(gateway: Gateway) -> None:
    with Client(gateway.url) as lms:
        for number in range(COUNT):
            body = (
                b"xqueue_body=%04d" % number
                + b"\x7f" * SIZE
                + "🐍".encode()
                + b"&xqueue_header="
                + lms_header().encode()
            )
            assert lms.call("POST", "submit/", data=body, headers=HEAD)[0] == 0
        lms.wait_queuelen(COUNT)
        with Memory(gateway) as memory, ExitStack() as open_ones:
            asked = [polled(gateway, "grader") for _ in range(COUNT)]
            for each in asked:
                open_ones.callback(each.close)
            lines = [each.first_line_if_any() for each in asked]
            refused = sum(" 503 " in line for line in lines)
            assert sum(" 200 " in line for line in lines) + refused == COUNT
            # The others wait.
            assert refused == COUNT - IN_SHARE
            assert lms.queuelen() == refused
            # Another account has what is left.
            work = lms.get_one()
            assert len(work["xqueue_body"]) == SIZE + 5
        # The texts, what waits here for a poll, and what was under way: not seven times that, as they go out.
        assert memory.grown < ROOM + 150 * MIB
        # What was read, or hung up on, holds nothing any more.
        with Client(gateway.url, "grader") as grader:
            assert all(grader.get_one()["xqueue_body"].endswith("\x7f🐍") for _ in range(refused - 1))
            lms.wait_queuelen(0)
