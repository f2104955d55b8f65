"""The broker blocked, frozen and back: quick, clear refusals, and nothing that was accepted is lost.

How it is killed is in tests/acceptance/test_broker_killed.py.
"""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from broker_setup.topology import CHECKED_QUEUE, submissions_queue
from deploy.local.node import PrivateNode
from tests.support.broker import own_node
from tests.support.broker_side import Came, broker_side
from tests.support.gateway import (
    ANSWER_SECONDS,
    PATIENCE_SECONDS,
    Client,
    Gateway,
    lms_header,
    running_gateway,
    seconds_taken,
    wait_until,
)
from tests.support.node_control import frozen, memory_alarm, message_limit, silent_queue
from tests.support.unavailable import Caller, get, health, put, submit, works_again

PROMISED_SECONDS = 3.0
# Longer than a confirm is waited for, several times.
SILENT_SECONDS = 8.0


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateNode]:
    """A broker of this module's own, to be treated badly."""
    with own_node(tmp_path_factory.mktemp("broker")) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(node: PrivateNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with running_gateway(node.amqp_url, tmp_path_factory.mktemp("gateway")) as running:
        yield running
        assert "Traceback" not in running.log, running.log


def one_after_another(call: Caller, asked: tuple[str, str, dict[str, Any]], count: int = 8) -> float:
    """Ask again and again while those before still wait; return what the longest took, in seconds."""
    with ThreadPoolExecutor(count) as pool:
        refused = []
        for _ in range(count):
            refused.append(pool.submit(call.refused, asked))
            time.sleep(0.25)
        return max(each.result() for each in refused)


def grade_all(client: Client, at_least: int) -> None:
    """Grade what waits, each handed out once; at least so many."""
    graded: list[int] = []
    while taken := client.get(wait=1 if len(graded) >= at_least else PATIENCE_SECONDS):
        assert client.put(taken["xqueue_header"], "reply") == (0, "")
        graded.append(json.loads(taken["xqueue_header"])["submission_id"])
    assert len(set(graded)) == len(graded) >= at_least


def results(node: PrivateNode) -> list[Came]:
    with broker_side(node.amqp_url) as side:
        return side.take_all(CHECKED_QUEUE)


def test_under_a_memory_alarm_submits_polls_and_results_are_refused_and_nothing_is_lost(
    node: PrivateNode, gateway: Gateway
) -> None:
    call = Caller(gateway)
    with Client(gateway.url) as client:
        for _ in range(3):
            assert client.submit(lms_header(), "work")[0] == 0
        taken = client.get_one()
        with memory_alarm(node):
            call.refused(submit(), put(taken))
            # By now the gateway knows, and says so at once.
            assert seconds_taken(lambda: call.refused(submit()), below=1) < 1
            assert health(gateway, "readyz") == 503
            # No lease without the ledger, which can't be written either; what was to be leased goes back.
            call.refused(get("get_submission/"), get("get_submission/"))
            with broker_side(node.amqp_url) as side:
                side.wait_ready(submissions_queue("openedx"), 2)
            client.wait_queuelen(2)
        works_again(gateway, client)
        assert client.put(taken["xqueue_header"], "reply") == (0, "")
        grade_all(client, at_least=3)
    # What was refused may have been stored all the same, but then it is the same result to the relay.
    came = [each for each in results(node) if each.body == b"reply"]
    assert {each.headers.get("xqueue-amendment", 0) for each in came} == {0}


def test_a_queue_that_is_silent_costs_only_its_own_submits_however_quiet_the_gateway(
    node: PrivateNode, gateway: Gateway
) -> None:
    call = Caller(gateway)
    with Client(gateway.url) as client:
        with silent_queue(node, submissions_queue("other")):
            call.refused(submit("other"))
            # From then on nothing is confirmed but what this test publishes: that is how quiet it is.
            deadline = time.monotonic() + SILENT_SECONDS
            while time.monotonic() < deadline:
                assert seconds_taken(lambda: call.refused(submit("other")), below=1) < 1
                for _ in range(2):
                    code, content = client.submit(lms_header(), "work")
                    assert code == 0, (content, gateway.log)
                    assert client.put(client.get_one()["xqueue_header"], "reply") == (0, "")
                    time.sleep(0.5)
            assert "dropping the connection" not in gateway.log
        wait_until(lambda: client.raw(*submit("other")[:2], **submit("other")[2]).status_code == 200, 30, "no healing")
        while taken := client.get("other", wait=1):
            client.put(taken["xqueue_header"], "reply")
    results(node)


def test_a_frozen_broker_makes_nobody_wait_for_long(node: PrivateNode, gateway: Gateway) -> None:
    call = Caller(gateway)
    with Client(gateway.url) as client:
        assert client.submit(lms_header(), "work")[0] == 0
        taken = client.get_one()
        with frozen(node):
            # Whoever asks while others wait must not wait for their answers and then for his own: that would be 4 s,
            # and each time.
            assert any(one_after_another(call, get("get_queuelen/")) < PROMISED_SECONDS for _ in range(3))
            call.refused(submit(), put(taken), get("get_queuelen/"))
            assert call("GET", "get_submission/", params={"queue_name": "openedx"})[1] < ANSWER_SECONDS
            assert health(gateway, "healthz") == 200
            assert health(gateway, "readyz") == 503
        works_again(gateway, client)
        assert client.put(taken["xqueue_header"], "reply") == (0, "")
        grade_all(client, at_least=1)
    results(node)


def test_what_is_larger_than_the_brokers_own_limit_is_told_so_and_the_rest_goes_on(
    gateway: Gateway, node: PrivateNode
) -> None:
    with Client(gateway.url, "lms") as lms, Client(gateway.url, "grader") as grader:
        lms.submit(lms_header(), "work")
        taken = grader.get_one()
        too_large = (1, "Reply is too large: more than the 100000 bytes that the broker takes")

        def is_told_so() -> bool:
            return grader.put(taken["xqueue_header"], "x" * 200_000) == too_large

        with message_limit(node, 100_000):
            wait_until(is_told_so, PATIENCE_SECONDS, "the grader is never told")
            code, content = lms.submit(lms_header(), "x" * 200_000)
            assert (code, "too large" in content) == (1, True)
            assert grader.put(taken["xqueue_header"], "small") == (0, "")
