"""What graders can't finish: rejected over AMQP, given back as failed, or run out of time, again and again."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from broker_setup.topology import (
    CHECKED_QUEUE,
    RESULTS_QUEUE,
    SUBMISSIONS_EXCHANGE,
    SUBMISSIONS_PARKED,
    submissions_queue,
)
from broker_setup.wire.parked import PARKED_ORIGIN_HEADER, PARKED_QUEUE_HEADER, PARKED_REASON_HEADER
from broker_setup.wire.properties import ATTEMPT_HEADER, RETURN_HEADER
from gateway.leasing.failures import PREFETCH
from tests.support.broker import VHost
from tests.support.gateway import Client, Gateway, lms_header, running_gateway, wait_until

ATTEMPTS = 3
DEADLY_GRADER = """
import os
from xqueue_grader import Options, reply, run

def grade(submission):
    if submission.body == "die":
        os._exit(7)
    return reply(correct=True, score=1, text="fine")

run(grade, "other", options=Options(at_once=1, returns=1))
"""
Delivery = tuple[pika.spec.Basic.GetOk, pika.BasicProperties, bytes]


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    # In one queue leases run out at once, in the others graders are in time on a slow machine, too.
    options = {"quick": {"processing_delay": 0.005}}
    return {"XQUEUE_MAX_ATTEMPTS": str(ATTEMPTS), "XQUEUE_QUEUE_OPTIONS": json.dumps(options)}


@pytest.fixture(scope="module")
def gateway(
    module_vhost: VHost, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    queues = dict.fromkeys(("openedx", "quick", "other"))
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(module_vhost.amqp_url, folder, queues=queues, settings=settings) as running:
        yield running
        assert "Traceback" not in running.log, running.log


class AmqpSide:
    """A channel beside the gateway's."""

    def __init__(self, channel: BlockingChannel) -> None:
        self.channel = channel

    def get(self, queue: str) -> Delivery:
        """Take the next message of a queue, waiting for it."""
        came: list[Delivery] = []

        def look() -> bool:
            method, properties, body = self.channel.basic_get(queue)
            if method:
                came.append((method, properties, body))
            return bool(method)

        wait_until(look, 60, f"nothing came into {queue}")
        return came[0]

    def has_come(self, queue: str) -> bool:
        return int(self.channel.queue_declare(queue, passive=True).method.message_count) > 0

    def take(self, queue: str) -> tuple[pika.BasicProperties, bytes]:
        method, properties, body = self.get(queue)
        self.channel.basic_ack(method.delivery_tag)
        return properties, body


@pytest.fixture
def amqp(module_vhost: VHost) -> Iterator[AmqpSide]:
    with pika.BlockingConnection(pika.URLParameters(module_vhost.amqp_url)) as connection:
        yield AmqpSide(connection.channel())


def poll_until_parked(grader: Client, amqp: AmqpSide, queue: str) -> None:
    """Poll what has nothing to give; whoever polls meets what has to be parked, once it has come back."""

    def parked() -> bool:
        assert grader.get(queue, wait=1) is None
        return amqp.has_come(SUBMISSIONS_PARKED)

    wait_until(parked, 60, "nothing was parked")


def notice(amqp: AmqpSide) -> dict[str, object]:
    _, body = amqp.take(CHECKED_QUEUE)
    said: dict[str, object] = json.loads(body)
    return said


def test_what_an_amqp_grader_rejects_comes_again_and_is_parked_at_last(lms: Client, amqp: AmqpSide) -> None:
    lms.submit(lms_header(queue="other"), "poison")
    uuids = set()
    for attempt in range(1, ATTEMPTS + 1):
        method, properties, body = amqp.get(submissions_queue("other"))
        assert json.loads(body)["xqueue_body"] == "poison"
        assert properties.headers[ATTEMPT_HEADER] == attempt
        uuids.add(properties.correlation_id)
        amqp.channel.basic_reject(method.delivery_tag, requeue=False)
    properties, _ = amqp.take(SUBMISSIONS_PARKED)
    assert {properties.correlation_id} == uuids
    assert properties.headers[PARKED_REASON_HEADER] == f"failed {ATTEMPTS} times"
    assert properties.headers[PARKED_QUEUE_HEADER] == "other"
    assert str(properties.headers[PARKED_ORIGIN_HEADER]).startswith("http")
    assert properties.headers[ATTEMPT_HEADER] == ATTEMPTS
    assert notice(amqp)["correct"] is None


def test_a_submission_that_kills_graders_is_parked_after_as_many_deaths_as_it_has_attempts(
    lms: Client, amqp: AmqpSide, module_vhost: VHost
) -> None:
    lms.submit(lms_header(queue="other"), "die")
    lms.submit(lms_header(queue="other"), "behind")
    # Nobody else takes from this queue, and it holds one at a time: what comes back was its death.
    command = [sys.executable, "-c", DEADLY_GRADER]
    env = os.environ | {"XQUEUE_AMQP_URL": module_vhost.amqp_url}
    deaths, deadline = 0, time.monotonic() + 60
    parked: list[pika.BasicProperties] = []
    while not parked:
        assert time.monotonic() < deadline, f"{deaths} deaths, and it is not parked"
        with subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL) as grader:
            while grader.poll() is None and not parked:
                method, properties, _ = amqp.channel.basic_get(SUBMISSIONS_PARKED, auto_ack=True)
                parked += [properties] if method else []
                time.sleep(0.02)
            if parked:
                grader.terminate()
        deaths += grader.returncode == 7
    assert deaths == ATTEMPTS
    assert parked[0].headers[PARKED_REASON_HEADER] == f"failed {ATTEMPTS} times"
    assert notice(amqp)["correct"] is None
    assert json.loads(amqp.take(RESULTS_QUEUE)[1])["correct"] is True


def release_as_failed(grader: Client, header: str) -> None:
    form = {"xqueue_header": header, "failed": "true"}
    assert grader.call("POST", "release_submission/", data=form) == (0, "")


def run_out(grader: Client, header: str) -> None:
    """Do nothing, as a grader that crashed."""


@pytest.mark.parametrize(("fail", "queue"), [(release_as_failed, "openedx"), (run_out, "quick")])
def test_what_pull_graders_fail_is_parked_at_last_and_what_stands_behind_it_flows(
    lms: Client, grader: Client, amqp: AmqpSide, fail: Callable[[Client, str], None], queue: str
) -> None:
    lms.submit(lms_header(queue=queue), "poison")
    for _ in range(ATTEMPTS):
        submission = grader.get(queue, wait=15)
        assert submission
        assert submission["xqueue_body"] == "poison"
        fail(grader, submission["xqueue_header"])
    lms.submit(lms_header(queue=queue), "behind")
    behind = grader.get(queue, wait=15)
    assert behind
    assert behind["xqueue_body"] == "behind"
    assert grader.put(behind["xqueue_header"], '{"correct": true, "score": 1, "msg": "<p/>"}') == (0, "")
    poll_until_parked(grader, amqp, queue)
    properties, _ = amqp.take(SUBMISSIONS_PARKED)
    assert properties.headers[PARKED_REASON_HEADER] == f"failed {ATTEMPTS} times"
    replies = [notice(amqp), notice(amqp)]
    assert sorted(str(reply["correct"]) for reply in replies) == ["None", "True"]


@pytest.mark.parametrize("queue", ["openedx", "other"])
def test_what_is_no_submission_is_parked_whether_a_pull_or_an_amqp_grader_meets_it(
    grader: Client, amqp: AmqpSide, queue: str, gateway: Gateway
) -> None:
    amqp.channel.basic_publish(SUBMISSIONS_EXCHANGE, queue, b"by hand")
    if queue == "openedx":
        poll_until_parked(grader, amqp, queue)
    else:
        method, _, _ = amqp.get(submissions_queue(queue))
        amqp.channel.basic_reject(method.delivery_tag, requeue=False)
    properties, body = amqp.take(SUBMISSIONS_PARKED)
    assert body == b"by hand"
    assert "not the JSON of a submission" in str(properties.headers[PARKED_REASON_HEADER])
    assert properties.headers[PARKED_QUEUE_HEADER] == queue


def test_more_bad_messages_than_are_looked_at_at_once_hold_up_no_failed_submission_behind_them(
    lms: Client, amqp: AmqpSide
) -> None:
    bad = b'{"xqueue_body": "\\ud800"}'
    stranger = pika.BasicProperties(correlation_id="0" * 32, headers={RETURN_HEADER: "s", PARKED_QUEUE_HEADER: "none"})
    for _ in range(PREFETCH + 1):
        amqp.channel.basic_publish(SUBMISSIONS_EXCHANGE, "other", bad, stranger)
    lms.submit(lms_header(queue="other"), "behind")
    for _ in range(PREFETCH + 2):
        method, _, _ = amqp.get(submissions_queue("other"))
        amqp.channel.basic_reject(method.delivery_tag, requeue=False)
    properties, body = amqp.take(submissions_queue("other"))
    assert json.loads(body)["xqueue_body"] == "behind"
    assert properties.headers[ATTEMPT_HEADER] == 2
    for _ in range(PREFETCH + 1):
        properties, body = amqp.take(SUBMISSIONS_PARKED)
        assert body == bad
        assert properties.headers[PARKED_QUEUE_HEADER] == "other"


def test_a_restart_of_the_gateway_is_no_attempt(lms: Client, grader: Client, gateway: Gateway) -> None:
    lms.submit(lms_header(), "kept")
    for _ in range(ATTEMPTS + 1):
        gateway.kill()
        gateway.start()
    submission = grader.get(wait=15)
    assert submission
    assert submission["xqueue_body"] == "kept"
