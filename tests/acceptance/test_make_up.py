"""`make up` as a person or a script uses it: the real command, a private broker, signals."""

import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from broker_setup.topology import submissions_queue
from deploy.local.ready import wait_until
from tests.support.broker import VHost
from tests.support.ledger import pika_channel
from tests.support.make_up import PORTS_BELOW, READY_SECONDS, STOP_SECONDS, USERS, MakeUp, make_up
from tests.support.ports import free_port

STOPPING = "stopping gateways, relay and broker: some seconds"


def processes_of(data: Path) -> list[str]:
    """Return the command lines of the processes that know of this data folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(data).encode() in (entry / "environ").read_bytes() and int(entry.name) != os.getpid():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def log_of(data: Path, process: str) -> str:
    return (data / "logs" / f"{process}.log").read_text()


def call(url: str, name: str, **parameters: str) -> object:
    with requests.Session() as session:
        session.auth = next(iter(USERS.items()))
        return session.get(f"{url}/xqueue/{name}/", params=parameters, timeout=60).json()["content"]


def submit(url: str, body: str) -> None:
    header = {"lms_callback_url": "http://127.0.0.1:9/", "lms_key": "k", "queue_name": "openedx"}
    with requests.Session() as session:
        session.auth = next(iter(USERS.items()))
        form = {"xqueue_header": json.dumps(header), "xqueue_body": body}
        assert session.post(f"{url}/xqueue/submit/", data=form, timeout=60).json()["return_code"] == 0


@pytest.mark.timeout(2 * READY_SECONDS)
def test_it_comes_up_checks_itself_stops_clean_and_carries_on_with_what_was_queued(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o755)  # as `make` may have left it
    with make_up(data) as first:
        url = first.wait_ready()
        assert not [each for each in (data, *data.rglob("*")) if not each.is_symlink() and each.stat().st_mode & 0o077]
        assert any("all the way round" in line for line in first.lines)
        assert call(url, "get_queuelen", queue_name="openedx") == 0
        submit(url, "queued over night")

        with make_up(data) as second:  # in the same folder
            assert second.process.wait(30) != 0
            assert "another `make up` runs on" in second.errors()

        first.stop(signal.SIGTERM)
        assert wait_until(lambda: not processes_of(data), 30), processes_of(data)
        _, _, after = first.errors().partition(f"{STOPPING}\n")
        assert "stopped; the data stays for the next `make up`" in after, "make may have its own word after it"

    with make_up(data) as again:
        url = again.wait_ready()
        assert any("work for its graders" in line for line in again.lines)  # the self-check left it alone
        content = json.loads(str(call(url, "get_submission", queue_name="openedx")))
        assert content["xqueue_body"] == "queued over night"
        again.stop(signal.SIGINT, group=True)
        assert wait_until(lambda: not processes_of(data), 30), processes_of(data)


@pytest.mark.timeout(2 * READY_SECONDS)
def test_on_a_given_broker_it_comes_up_with_what_amqp_graders_hold_and_no_end_of_it_leaves_a_process(
    vhost: VHost, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    queues = {"openedx": None, "mit": None, "called": "http://127.0.0.1:9"}
    given = {"XQUEUE_XQUEUES": json.dumps(queues), "XQUEUE_SUPERSEDE_MIN_AGE": "0"}
    given |= {"XQUEUE_AMQP_URL": vhost.amqp_url}
    port, queue = free_port(PORTS_BELOW), submissions_queue("openedx")
    with pika_channel(vhost.amqp_url) as live:
        with socket.create_server(("127.0.0.1", port)), make_up(data, XQUEUE_PORT=str(port), **given) as first:
            url = first.wait_ready()
            a_taken_port_is_no_reason_to_fail(first, url, port)
            the_given_broker_is_used(first, data, url)
            a_killed_gateway_is_started_again(first, data, url)
            with pika_channel(vhost.amqp_url) as killed:
                submit(url, "superseded")
                assert wait_until(lambda: killed.basic_get(queue)[0], 60)
                submit(url, "queued over night")
                assert wait_until(lambda: call(url, "get_queuelen", queue_name="openedx") == 1, 60)
                first.stop()
        assert wait_until(lambda: not processes_of(data), 30), processes_of(data)

        taken: list[str] = []
        with make_up(data, WORKERS="2", **given) as again:
            live.basic_qos(prefetch_count=1)
            live.basic_consume(queue, lambda *delivery: taken.append(json.loads(delivery[-1])["xqueue_body"]))
            url = again.wait_ready()
            assert any("work for its graders" in line for line in again.lines)
            live.connection.process_data_events(60)  # until something has come
            assert taken == ["superseded"]
            content = json.loads(str(call(url, "get_submission", queue_name="openedx")))
            assert content["xqueue_body"] == "queued over night"
            assert wait_until(lambda: sum("-m gateway.workers" in each for each in processes_of(data)) == 2, 60)
            assert "WORKERS" not in again.errors()  # it is no setting of a site that has lost its prefix
            if sys.platform == "linux":  # no other tells a child of its parent's death
                # Make and the stack; the children have sessions of their own.
                os.killpg(again.process.pid, signal.SIGKILL)
                assert wait_until(lambda: not processes_of(data), STOP_SECONDS), processes_of(data)


def a_taken_port_is_no_reason_to_fail(command: MakeUp, url: str, port: int) -> None:
    assert urlsplit(url).port != port
    assert f"port {port} is taken" in command.errors()


def the_given_broker_is_used(command: MakeUp, data: Path, url: str) -> None:
    assert call(url, "get_queuelen", queue_name="mit") == 0
    assert not (data / "node").exists()
    # The bridge says so itself: it was asked, at its own port.
    assert any(line.split()[:3] == ["passive", "answers", "at"] for line in command.lines), command.lines
    assert "consuming xqueue.submissions.called" in log_of(data, "passive")


def a_killed_gateway_is_started_again(command: MakeUp, data: Path, url: str) -> None:
    gateway = int((data / "gateway-1.pid").read_text())
    os.kill(gateway, signal.SIGKILL)
    assert wait_until(lambda: (data / "gateway-1.pid").read_text() not in {"", str(gateway)}, 60)
    assert wait_until(lambda: _answers(url), 60), command.errors() + log_of(data, "gateway-1")


def test_a_wrong_setting_stops_it_with_the_key_and_what_was_expected(tmp_path: Path) -> None:
    with make_up(tmp_path / "data", XQUEUE_PORT="eighty") as command:
        assert command.process.wait(60) != 0
        assert "PORT" in command.errors()
        assert "Traceback" not in command.errors()


def _answers(url: str) -> bool:
    try:
        return call(url, "status") == "OK"
    except requests.ConnectionError:
        return False
