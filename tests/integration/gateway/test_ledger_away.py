"""The ledger deleted under a running gateway: submits go on, the rest says so, and all heals without a restart."""

import json
import time
from typing import Any

import pytest
import requests

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import LEDGER, topology
from tests.support.broker import VHost
from tests.support.broker_side import BrokerSide
from tests.support.gateway import (
    ANSWER_SECONDS,
    PATIENCE_SECONDS,
    RETRY_DELAYS,
    Client,
    Gateway,
    lms_header,
    wait_until,
)

REFUSAL = {"return_code": 1, "content": "The queue is unavailable at the moment, please try again"}
# A gateway needs two silences of 5 s to know that its stream is another one.
HEAL_SECONDS = 60.0


def ready(gateway: Gateway) -> requests.Response:
    with requests.Session() as session:
        return session.get(f"{gateway.url}/readyz", timeout=60)


def refused(client: Client, method: str, call: str, **options: Any) -> None:
    start = time.monotonic()
    answer = client.raw(method, call, **options)
    assert answer.status_code == 503, (call, answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.json() == REFUSAL
    assert time.monotonic() - start < ANSWER_SECONDS, call


@pytest.mark.usefixtures("empty")
def test_without_the_ledger_submits_go_on_and_when_it_is_declared_again_leases_are_still_honoured(
    gateway: Gateway, module_vhost: VHost, lms: Client, grader: Client, beside: BrokerSide
) -> None:
    for body in ("leased", "1", "2"):
        assert lms.submit(lms_header(), body)[0] == 0
    leased = grader.get_one()
    assert leased["xqueue_body"] == "leased"
    result = {"xqueue_header": leased["xqueue_header"], "xqueue_body": "reply"}

    module_vhost.api("DELETE", f"queues/{{vhost}}/{LEDGER}")
    wait_until(lambda: ready(gateway).status_code == 503, PATIENCE_SECONDS, "the gateway still says that it is ready")
    wait_until(
        lambda: any(LEDGER in why for why in ready(gateway).json()["problems"]),
        PATIENCE_SECONDS,
        "it does not name the ledger",
    )
    assert any("xqueue-broker declare" in why for why in ready(gateway).json()["problems"])
    assert lms.submit(lms_header(), "3")[0] == 0
    grader.wait_queuelen(3)
    refused(grader, "GET", "get_submission/", params={"queue_name": "openedx"})
    refused(grader, "GET", "get_submission/", params={"queue_name": "openedx", "wait": "20"})
    refused(grader, "POST", "put_result/", data=result)
    assert beside.take_all() == []

    declare(module_vhost.amqp_url, topology(gateway.queues, RETRY_DELAYS))
    wait_until(lambda: ready(gateway).status_code == 200, HEAL_SECONDS, "the gateway did not heal")
    assert lms.submit(lms_header(), "4")[0] == 0
    taken = grader.get_all(4)
    assert [each["xqueue_body"] for each in taken] == ["1", "2", "3", "4"]
    assert grader.put(leased["xqueue_header"], "reply") == (0, "")
    for each in taken:
        assert grader.put(each["xqueue_header"], "reply") == (0, "")
    came = beside.take_all()
    assert len({each.correlation_id for each in came}) == len(came) == 5
    assert len({json.loads(each["xqueue_header"])["submission_id"] for each in [leased, *taken]}) == 5
