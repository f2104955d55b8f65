"""Thousands of results at once, of one account: the gateway's event loop does not stand, and others' are taken."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.broker import VHost
from tests.support.gateway import Client, Gateway, lms_header, running_gateway, wait_until
from tests.support.heartbeat import PROGRAM, Heartbeat, Stall

SCORE = "https://lms.example/courses/x/xqueue/7/block@problem/score_update"
MOST = Stall(0.25, 0.25)
CLIENTS = 60


@pytest.fixture(scope="module")
def gateway(module_vhost: VHost, tmp_path_factory: pytest.TempPathFactory, heartbeat: Heartbeat) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(module_vhost.amqp_url, folder, program=PROGRAM, settings=heartbeat.environment) as running:
        yield running


def taken(gateway: Gateway, queue: str = "openedx") -> str:
    with Client(gateway.url, "lms") as lms, Client(gateway.url, "grader") as grader:
        assert lms.submit(lms_header(f"{SCORE}?{queue}", queue=queue), "work")[0] == 0
        return str(grader.get_one(queue)["xqueue_header"])


def hand_in(gateway: Gateway, bulks: Sequence[Sequence[tuple[str, str]]]) -> None:
    def one(bulk: Sequence[tuple[str, str]]) -> None:
        results = [{"xqueue_header": header, "xqueue_body": body} for header, body in bulk]
        with Client(gateway.url, "grader") as grader:
            assert grader.raw("POST", "put_results/", json={"results": results}, timeout=120).status_code == 200

    with ThreadPoolExecutor(len(bulks)) as pool:
        list(pool.map(one, bulks))


def worst() -> str:
    """Make a reply of nearly 4 KiB that takes as long as any to be refused."""
    return json.dumps({"correct": 1, "score": 1, "msg": "<td a=''>" * 440})


def test_thousands_of_results_under_wrong_keys_leave_others_their_turn(gateway: Gateway, heartbeat: Heartbeat) -> None:
    header = json.dumps({"submission_id": 5, "submission_key": "wrong"})
    heartbeat.begin()
    hand_in(gateway, [[(header, "x")] * 100] * CLIENTS)
    assert heartbeat.longest().is_below(MOST)


def test_thousands_of_amendments_leave_others_their_turn(gateway: Gateway, heartbeat: Heartbeat) -> None:
    header = taken(gateway)

    def good(number: int) -> str:
        return json.dumps({"correct": True, "score": 1, "msg": f"<p>{number}</p>"})

    heartbeat.begin()
    hand_in(gateway, [[(header, good(100 * client + number)) for number in range(100)] for client in range(CLIENTS)])
    assert heartbeat.longest().is_below(MOST)


def test_a_bulk_of_small_but_slow_replies_leaves_others_their_turn(gateway: Gateway, heartbeat: Heartbeat) -> None:
    header = taken(gateway)
    heartbeat.begin()
    hand_in(gateway, [[(header, worst())] * 100])
    assert heartbeat.longest().is_below(MOST)


def test_anothers_reply_is_taken_meanwhile(gateway: Gateway) -> None:
    header, others = taken(gateway), taken(gateway, "other")
    reply = json.dumps({"correct": 1, "score": 1, "msg": "<td '>" * 1300})
    good = json.dumps({"correct": True, "score": 1, "msg": "<p>" + "good " * 1000 + "</p>"})
    with ThreadPoolExecutor(1) as pool, Client(gateway.url, "lms") as other:
        attack = pool.submit(hand_in, gateway, [[(header, reply)] * 100] * 8)
        wait_until(lambda: "is refused" in gateway.log, 60, "the attack does not begin")
        assert other.put(others, good) == (0, "")
        assert not attack.done()
