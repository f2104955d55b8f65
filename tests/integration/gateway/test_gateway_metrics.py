"""A gateway's own port for a Prometheus: what it counts while students' work goes through it, and how it is."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header, wait_until
from tests.support.metrics import Shown, scraped
from tests.support.operator import environment
from tests.support.ports import free_port
from tests.support.warm_start import WarmProcess

REPLY = '{"correct": true, "score": 1, "msg": "good"}'
CALLS = "xqueue_gateway_requests_total"


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def settings(port: int) -> dict[str, str]:
    return {"XQUEUE_GATEWAY_METRICS_PORT": str(port)}


@pytest.fixture
def base(gateway: Gateway, port: int) -> str:
    return f"http://127.0.0.1:{port}"


def seen(base: str) -> Shown:
    return asyncio.run(scraped(f"{base}/metrics"))


def test_what_goes_through_it_is_counted(base: str, gateway: Gateway, lms: Client, grader: Client) -> None:
    assert lms.submit(lms_header(), "work")[0] == 0
    assert lms.submit(lms_header(queue="nobody's"), "work")[0] == 1
    assert lms.submit("no JSON", "work")[0] == 1
    assert lms.submit(lms_header("ftp://elsewhere/"), "work")[0] == 1
    taken = grader.get_one()
    wait_until(lambda: seen(base)["xqueue_gateway_held"][()] == 1, PATIENCE_SECONDS, "what is leased is not held")
    assert grader.put(taken["xqueue_header"], REPLY)[0] == 0
    assert grader.put(taken["xqueue_header"].replace('key": "', 'key": "not the '), REPLY)[0] == 1
    assert grader.get("other") is None
    with Client(gateway.url, basic=False) as stranger:
        assert stranger.login("lms", "guessed")[0] == 1
        stranger.raw("GET", "get_queuelen/?queue_name=openedx")
    said = wait_until(lambda: nothing_held(base), PATIENCE_SECONDS, "what is graded is still held")
    calls = {key: number for key, number in said[CALLS].items() if number}
    assert calls.pop(("get_submission", "empty")) >= 1
    assert calls == {
        ("submit", "ok"): 1,
        ("submit", "refused"): 3,
        ("get_submission", "ok"): 1,
        ("put_result", "ok"): 1,
        ("put_result", "refused"): 1,
        ("login", "denied"): 1,
        ("get_queuelen", "denied"): 1,
    }
    reasons = {reason: number for (reason,), number in said["xqueue_gateway_submits_refused_total"].items() if number}
    assert reasons == {"queue": 1, "ill_formed": 1, "callback_url": 1}
    took = said["xqueue_gateway_request_seconds_bucket"]
    assert took["submit", "+Inf"] == said["xqueue_gateway_request_seconds_count"]["submit",] == 4
    assert said["xqueue_gateway_request_seconds_sum"]["submit",] > 0
    assert said["xqueue_gateway_logins_refused_total"] == {(): 1}
    assert said["xqueue_gateway_logins_throttled_total"] == {(): 0}
    assert said["process_resident_memory_bytes"]


def nothing_held(base: str) -> Shown | None:
    said = seen(base)
    return said if said["xqueue_gateway_held"][()] == said["xqueue_gateway_unconfirmed"][()] == 0 else None


def test_how_it_is_shows_in_gauges_and_in_a_word(base: str) -> None:
    said = seen(base)
    uses = ("publishing", "consuming", "ledger", "asking")
    assert said["xqueue_gateway_broker_connection_up"] == {(use,): 1 for use in uses}
    assert said["xqueue_gateway_ledger_caught_up"] == said["xqueue_gateway_workers"] == {(): 1}
    # One machine's clock, and a busy one.
    assert 0 <= said["xqueue_gateway_ledger_lag_seconds"][()] < PATIENCE_SECONDS
    assert 0 < said["xqueue_gateway_replay_seconds"][()] < PATIENCE_SECONDS
    assert said["xqueue_gateway_state"] == {("serving",): 1, ("trying",): 0, ("leaving",): 0}
    for path in ("healthz", "readyz"):
        answer = requests.get(f"{base}/{path}", timeout=PATIENCE_SECONDS)
        assert (answer.status_code, answer.text) == (200, "serving\n")


def test_a_poll_that_waits_shows_as_long_as_it_does(base: str, lms: Client, grader: Client) -> None:
    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(grader.get_one, "other")
        wait_until(lambda: seen(base)["xqueue_gateway_polls_waiting"][()] == 1, PATIENCE_SECONDS, "no poll is seen")
        lms.submit(lms_header(queue="other"), "work")
        assert poll.result()["xqueue_body"] == "work"
    wait_until(lambda: seen(base)["xqueue_gateway_polls_waiting"][()] == 0, PATIENCE_SECONDS, "a poll is left over")


def test_a_port_that_is_taken_is_one_sentence_and_exit_code_1(gateway: Gateway, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {
            "AMQP_URL": gateway.amqp_url,
            "SECRET_KEY": "Zk3vW9qRt7LmXc2PbNhY8dGs",
            "USERS": '{"lms": "password"}',
            "XQUEUES": '{"openedx": null}',
            "PORT": "0",
            "GATEWAY_METRICS_PORT": str(port),
        }
        streams = [Path("/dev/null"), tmp_path / "out", tmp_path / "err"]
        assert WarmProcess("gateway", [], environment(**settings), streams).wait(PATIENCE_SECONDS) == 1
    assert (tmp_path / "err").read_text().splitlines()[-1] == (
        f"xqueue-gateway: GATEWAY_METRICS_HOST, GATEWAY_METRICS_PORT: can't listen on 127.0.0.1 port {port}: "
        "address already in use"
    )
