"""Several gateway processes behind one port: replaced one by one, killed, stopped, and never without a listener."""

import asyncio
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.client import RemoteDisconnected
from pathlib import Path

import psutil
import pytest
import requests

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.gateway import PATIENCE_SECONDS, RETRY_DELAYS, Client, Gateway, lms_header, wait_until
from tests.support.metrics import Shown, scraped
from tests.support.new_connections import AT_ONCE, KeptConnection, NewConnections
from tests.support.ports import free_port

POLLS = 6
METRICS = "XQUEUE_GATEWAY_METRICS_PORT"
# For what a busy machine starts anew: two processes, one after the other.
REPLACING_SECONDS = 120
# Of each of the clients that open connections: some hundred come in a second, and the machine has time for the workers.
BETWEEN_SECONDS = 0.02


@pytest.fixture(scope="module")
def module_vhost(broker: Broker) -> Iterator[VHost]:
    with temporary_vhost(broker) as made:
        yield made


@pytest.fixture(scope="module")
def gateway(module_vhost: VHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Two workers, both ready."""
    folder = tmp_path_factory.mktemp("workers")
    (folder / "xqueue.yml").write_text("WORKERS: 2\n")
    running = Gateway(
        module_vhost.amqp_url,
        folder,
        queues={"openedx": None, "other": None, "killed": None},
        settings={"XQUEUE_CFG": str(folder / "xqueue.yml"), METRICS: str(free_port())},
    )
    declare(module_vhost.amqp_url, topology(running.queues, RETRY_DELAYS))
    running.start()
    try:
        wait_until(lambda: len(ready(running)) == 2, REPLACING_SECONDS, "the second worker did not get ready")
        yield running
    finally:
        running.kill()


def ready(gateway: Gateway) -> list[int]:
    """Return the process ids of all workers that ever got ready."""
    return [int(pid) for pid in re.findall(r"worker \d+ \((\d+)\) is ready", gateway.log)]


def workers(gateway: Gateway) -> list[psutil.Process]:
    assert gateway.process
    return psutil.Process(gateway.process.pid).children()


def wait_for_line(gateway: Gateway, pattern: str, count: int = 1) -> None:
    """Wait until so many lines of the log match."""

    def has_come() -> bool:
        return len(re.findall(pattern, gateway.log)) >= count

    wait_until(has_come, REPLACING_SECONDS, f"{pattern!r} did not come {count} times:\n{gateway.log}")


def test_workers_are_replaced_one_by_one_and_neither_new_connections_nor_kept_ones_nor_long_polls_notice(
    gateway: Gateway,
) -> None:
    assert gateway.process
    before = {worker.pid for worker in workers(gateway)}
    clients, kept = (
        NewConnections(gateway.port, "openedx", pause=BETWEEN_SECONDS),
        KeptConnection(gateway.port, "killed"),
    )
    with ThreadPoolExecutor(POLLS) as pool, clients.submitting(), kept.asking():
        polls = [pool.submit(_poll, gateway.url) for _ in range(POLLS)]
        wait_until(lambda: _is_polled(gateway, POLLS), PATIENCE_SECONDS, "the polls did not come")
        gateway.process.send_signal(signal.SIGHUP)
        # One of them, at least, is asked by those polls, and has to wait for them.
        wait_for_line(gateway, "taking no more connections")
        with Client(gateway.url) as lms:
            for number in range(POLLS):
                assert lms.submit(lms_header(queue="other"), f"work {number}")[0] == 0
        assert sorted(poll.result() for poll in polls) == [f"work {number}" for number in range(POLLS)]
        wait_for_line(gateway, "has ended, replaced", 2)
    assert clients.wrong == kept.wrong == [], gateway.log
    assert kept.told_to_close
    assert clients.taken > 2 * AT_ONCE
    # Who is new takes connections when it could answer.
    assert [said for said in clients.unready if "no connection to the broker" in said] == []
    with Client(gateway.url) as lms:
        waiting = lms.queuelen("openedx")
    assert clients.taken <= waiting <= clients.taken + clients.put_off
    # Most of these the old ones had counted.
    counted = partial(_submits_counted, gateway)
    wait_until(lambda: counted() >= clients.taken + POLLS, PATIENCE_SECONDS, "what replaced workers counted is gone")
    assert before.isdisjoint(worker.pid for worker in workers(gateway))
    assert len(workers(gateway)) == 2


def test_while_a_worker_is_killed_and_started_again_no_connection_is_refused(gateway: Gateway) -> None:
    victim = workers(gateway)[0]
    known = len(ready(gateway))
    clients = NewConnections(gateway.port, "killed", pause=BETWEEN_SECONDS)
    with clients.submitting():
        wait_until(lambda: clients.taken > AT_ONCE, PATIENCE_SECONDS, "nothing was taken")
        victim.kill()
        wait_until(lambda: len(ready(gateway)) > known, REPLACING_SECONDS, "it was not started again")
    assert f"({victim.pid}) ended with -9; starting it again in 0.5 s" in gateway.log
    # What it was about to answer is lost to whoever asked, and may have been taken.
    lost = (ConnectionResetError, RemoteDisconnected)
    assert [wrong for wrong in clients.wrong if not isinstance(wrong, lost)] == []
    assert len(clients.wrong) <= AT_ONCE
    with Client(gateway.url) as lms:
        waiting = lms.queuelen("killed")
    assert clients.taken <= waiting <= clients.taken + len(clients.wrong) + clients.put_off
    assert [said for said in clients.unready if "no connection to the broker" in said] == []


def test_where_the_settings_have_become_wrong_nothing_is_replaced(gateway: Gateway) -> None:
    assert gateway.process
    before = {worker.pid for worker in workers(gateway)}
    file = gateway.folder / "xqueue.yml"
    good = file.read_text()
    file.write_text(f"{good}MAX_WAIT: never\n")
    gateway.process.send_signal(signal.SIGHUP)
    wait_for_line(gateway, r"ended with 1 before it was ready: the others are not replaced")
    file.write_text(good)
    assert "xqueue-gateway: MAX_WAIT" in gateway.log
    assert {worker.pid for worker in workers(gateway)} == before


def test_the_parent_shows_the_sum_of_all_workers(gateway: Gateway) -> None:
    # No other test's are refused: what they made may still be on its way here.
    for _ in range(2 * AT_ONCE):
        with Client(gateway.url) as lms:
            assert lms.submit(lms_header(queue="nobody's"), "work")[0] == 1
    refused = partial(_submits_counted, gateway, "refused")
    wait_until(lambda: refused() >= 2 * AT_ONCE, PATIENCE_SECONDS, "not all that was refused is counted")
    assert refused() == 2 * AT_ONCE
    said = _shown(gateway)
    assert said["xqueue_gateway_workers"] == {(): 2}
    assert said["xqueue_gateway_state"] == {("serving",): 2, ("trying",): 0, ("leaving",): 0}
    assert said["xqueue_gateway_ledger_caught_up"] == {(): 1}
    assert len(said["process_resident_memory_bytes"]) == 1
    answer = requests.get(f"http://127.0.0.1:{gateway.settings[METRICS]}/readyz", timeout=PATIENCE_SECONDS)
    assert (answer.status_code, answer.text) == (200, "serving\n")


def test_each_worker_is_told_from_the_others_at_the_broker_and_in_the_log(
    gateway: Gateway, module_vhost: VHost
) -> None:
    pids = {worker.pid for worker in workers(gateway)}

    def named() -> bool:
        path = f"vhosts/{module_vhost.name}/connections"
        connections = module_vhost.api("GET", path).json()
        names = {str(each.get("client_properties", {}).get("connection_name")) for each in connections}
        return all(any(f":{gateway.port} {pid} publishing" in name for name in names) for pid in pids)

    wait_until(named, PATIENCE_SECONDS, "the management API does not name them")
    assert all(re.search(rf"^\S+ INFO \[{pid}\] uvicorn: ", gateway.log, re.MULTILINE) for pid in pids)


def test_workers_end_with_a_parent_that_is_told_to_and_with_one_that_is_killed(gateway: Gateway) -> None:
    for end, code in ((gateway.stop, -signal.SIGTERM), (gateway.kill, -signal.SIGKILL)):
        if gateway.process is None:
            gateway.start()
        process, children = gateway.process, workers(gateway)
        assert process
        assert children
        end()
        assert process.poll() == code
        _, alive = psutil.wait_procs(children, timeout=PATIENCE_SECONDS)
        assert alive == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        # What the parent finds, what only a worker does, and what the system refuses.
        ({"XQUEUE_PORT": "eighty"}, "xqueue-gateway: XQUEUE_PORT"),
        (
            {"XQUEUE_UPLOAD_STORE": "s3://bucket", "XQUEUE_UPLOAD_STORE_OPTIONS": '{"nonsense": "1"}'},
            "xqueue-gateway: UPLOAD_STORE",
        ),
        ({"XQUEUE_HOST": "192.0.2.1"}, "[Errno 99] error while attempting to bind on address"),
        ({METRICS: "0", "XQUEUE_GATEWAY_METRICS_HOST": "192.0.2.1"}, "xqueue-gateway: GATEWAY_METRICS_HOST"),
    ],
)
def test_what_no_worker_can_use_ends_it_as_it_ends_one_gateway(
    tmp_path: Path, wrong: dict[str, str], said: str
) -> None:
    ends, port = [], free_port()
    for count in ("1", "2"):
        folder = tmp_path / count
        folder.mkdir()
        gateway = Gateway("amqp://127.0.0.1:1", folder, settings=wrong | {"XQUEUE_WORKERS": count}, port=port)
        with pytest.raises(AssertionError, match="ended by itself"):
            gateway.start()
        assert gateway.process
        ends.append(
            (gateway.process.poll(), [line.partition(said)[2] for line in gateway.log.splitlines() if said in line])
        )
    assert ends[0] == ends[1]
    code, lines = ends[0]
    assert code
    assert len(lines) == 1


def _poll(url: str) -> str:
    with Client(url, "grader") as grader:
        return str(grader.get_one("other")["xqueue_body"])


def _shown(gateway: Gateway) -> Shown:
    return asyncio.run(scraped(f"http://127.0.0.1:{gateway.settings[METRICS]}/metrics"))


def _submits_counted(gateway: Gateway, outcome: str = "ok") -> float:
    return _shown(gateway)["xqueue_gateway_requests_total"].get(("submit", outcome), 0)


def _is_polled(gateway: Gateway, count: int) -> bool:
    """Whether so many connections to the gateway are there that don't come and go."""
    held = partial(_held, gateway)
    return len(held() & held()) >= count


def _held(gateway: Gateway) -> set[tuple[object, ...]]:
    connections = [each for worker in workers(gateway) for each in worker.net_connections()]
    return {tuple(each.raddr) for each in connections if each.laddr and each.laddr.port == gateway.port and each.raddr}
