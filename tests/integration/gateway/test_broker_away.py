"""The broker blocked, frozen, killed and back: quick, clear refusals, and nothing that was accepted is lost."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil
import pytest
import requests

from broker_setup.topology import RESULTS_QUEUE, submissions_queue
from deploy.local.container import container_name
from deploy.local.node import PrivateNode
from deploy.local.runtime import Container
from tests.support.broker import own_node
from tests.support.broker_side import Came, broker_side
from tests.support.gateway import Client, Gateway, lms_header, running_gateway, wait_until

REFUSAL = {"return_code": 1, "content": "The queue is unavailable at the moment, please try again"}
ANSWER_SECONDS = 3.0


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


class Caller:
    """Makes calls side by side, each with a client of its own, and notes how long each took."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __call__(self, method: str, call: str, **options: Any) -> tuple[requests.Response, float]:
        with Client(self._gateway.url) as client:
            start = time.monotonic()
            answer = client.raw(method, call, **options)
            return answer, time.monotonic() - start

    def refused(self, *calls: tuple[str, str, dict[str, Any]]) -> None:
        """Make the calls all at once; each must be refused quickly, with the envelope."""
        with ThreadPoolExecutor(len(calls)) as pool:
            answers = list(pool.map(lambda call: self(call[0], call[1], **call[2]), calls))
        for (_, name, _), (answer, seconds) in zip(calls, answers, strict=True):
            assert answer.status_code == 503, (name, answer.text)
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.json() == REFUSAL
            assert seconds < ANSWER_SECONDS, name


def submit() -> tuple[str, str, dict[str, Any]]:
    return "POST", "submit/", {"data": {"xqueue_header": lms_header(), "xqueue_body": "work"}}


def put(taken: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    return "POST", "put_result/", {"data": {"xqueue_header": taken["xqueue_header"], "xqueue_body": "reply"}}


def get(call: str) -> tuple[str, str, dict[str, Any]]:
    return "GET", call, {"params": {"queue_name": "openedx"}}


def health(gateway: Gateway, path: str) -> int:
    with requests.Session() as session:
        return session.get(f"{gateway.url}/{path}", timeout=5).status_code


def take(client: Client) -> dict[str, Any]:
    taken = client.get(wait=10)
    assert taken
    return taken


def works_again(gateway: Gateway, client: Client) -> None:
    wait_until(lambda: health(gateway, "readyz") == 200, 20, "the gateway did not recover by itself")
    wait_until(lambda: client.raw(*submit()[:2], **submit()[2]).status_code == 200, 10, "submits do not work again")
    assert client.queuelen() >= 1


def grade_all(client: Client) -> int:
    """Grade what waits; return how many that were, each handed out once."""
    graded = []
    while taken := client.get(wait=0.5):
        assert client.put(taken["xqueue_header"], "reply") == (0, "")
        graded.append(json.loads(taken["xqueue_header"])["submission_id"])
    assert len(graded) == len(set(graded))
    return len(graded)


def results(node: PrivateNode) -> list[Came]:
    with broker_side(node.amqp_url) as side:
        return side.take_all(RESULTS_QUEUE)


def rabbitmqctl(node: PrivateNode, *arguments: str) -> None:
    assert node._runtime
    if isinstance(node._runtime, Container):
        command, env = ["docker", "exec", container_name(node._made.marker), "rabbitmqctl"], dict(os.environ)
    else:
        command, env = [str(node._runtime.server.with_name("rabbitmqctl"))], node._made.env(node._ports)
        env |= node._runtime.env
    subprocess.run([*command, *arguments], env=env, capture_output=True, check=True, timeout=60)


@contextlib.contextmanager
def memory_alarm(node: PrivateNode) -> Iterator[None]:
    rabbitmqctl(node, "set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        rabbitmqctl(node, "set_vm_memory_high_watermark", "0.4")


@contextlib.contextmanager
def frozen(node: PrivateNode) -> Iterator[None]:
    pid = node._server.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, 5, "the broker did not stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_under_a_memory_alarm_submits_polls_and_results_are_refused_and_nothing_is_lost(
    node: PrivateNode, gateway: Gateway
) -> None:
    call = Caller(gateway)
    with Client(gateway.url) as client:
        for _ in range(3):
            assert client.submit(lms_header(), "work")[0] == 0
        taken = take(client)
        with memory_alarm(node):
            call.refused(submit(), put(taken))
            # By now the gateway knows, and says so at once.
            _, seconds = call(submit()[0], submit()[1], **submit()[2])
            assert seconds < 1
            assert health(gateway, "readyz") == 503
            # No lease without the ledger, which can't be written either; what was to be leased goes back.
            call.refused(get("get_submission/"), get("get_submission/"))
            with broker_side(node.amqp_url) as side:
                side.wait_ready(submissions_queue("openedx"), 2)
            assert client.queuelen() == 2
        works_again(gateway, client)
        assert client.put(taken["xqueue_header"], "reply") == (0, "")
        assert grade_all(client) >= 3
    # What was refused may have been stored all the same, but then it is the same result to the relay.
    came = [each for each in results(node) if each.body == b"reply"]
    assert {each.headers.get("xqueue-amendment", 0) for each in came} == {0}


def test_a_frozen_broker_makes_nobody_wait_for_long(node: PrivateNode, gateway: Gateway) -> None:
    call = Caller(gateway)
    with Client(gateway.url) as client:
        assert client.submit(lms_header(), "work")[0] == 0
        taken = take(client)
        with frozen(node):
            # Whoever asks while others wait must not wait for their answers and then for his own.
            with ThreadPoolExecutor(8) as pool:
                asked = []
                for _ in range(8):
                    asked.append(pool.submit(call.refused, get("get_queuelen/")))
                    time.sleep(0.25)
                for each in asked:
                    each.result()
            call.refused(submit(), put(taken), get("get_queuelen/"))
            assert call("GET", "get_submission/", params={"queue_name": "openedx"})[1] < ANSWER_SECONDS
            assert health(gateway, "healthz") == 200
            assert health(gateway, "readyz") == 503
        works_again(gateway, client)
        assert client.put(taken["xqueue_header"], "reply") == (0, "")
        grade_all(client)
    results(node)


def test_a_killed_broker_is_told_at_once_and_all_works_again_when_it_is_back(
    node: PrivateNode, gateway: Gateway
) -> None:
    call = Caller(gateway)
    with Client(gateway.url) as client:
        for _ in range(3):
            assert client.submit(lms_header(), "work")[0] == 0
        taken = take(client)
        node.kill()
        everything = [submit(), put(taken), get("get_queuelen/"), get("get_submission/")]
        call.refused(*everything)
        call.refused(*everything)
        assert client.call("GET", "status/") == (0, "OK")
        assert client.login() == (0, "Logged in")
        assert client.call("GET", "login/") == (1, "login_required")
        assert health(gateway, "healthz") == 200
        assert health(gateway, "readyz") == 503
        node.start()
        works_again(gateway, client)
        # The lease outlived the outage, and its submission is not handed to anybody else.
        assert client.put(taken["xqueue_header"], "reply") == (0, "")
        left = 0
        while again := client.get(wait=1):
            assert again["xqueue_header"] != taken["xqueue_header"]
            assert client.put(again["xqueue_header"], "another") == (0, "")
            left += 1
        assert left >= 3
        came = results(node)
        assert [each.body for each in came].count(b"reply") == 1
        assert len({each.correlation_id for each in came}) == len(came) == left + 1
    with broker_side(node.amqp_url) as side:
        wait_until(lambda: side.ready(submissions_queue("openedx")) == 0, 5, "something was left in the queue")
