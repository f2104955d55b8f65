"""A real Prometheus with our configuration scrapes XQueue at work: rules load, and each question has an answer."""

import asyncio
import contextlib
import json
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import pika
import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE, topology
from deploy.monitoring.panels import ROWS
from tests.support.alert_rules import alert_rules
from tests.support.broker import VHost
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, USERS, Client, lms_header, wait_until
from tests.support.lms import Answer, FakeLMS, running_lms
from tests.support.passive import running_grader
from tests.support.ports import free_port
from tests.support.prometheus import Prometheus, running_prometheus
from tests.support.service_process import service_process

REPLY = '{"correct": true, "score": 1, "msg": "good"}'
SECONDS = 120.0
# Module, and the setting of the port where it shows its metrics.
PROGRAMS = {
    "xqueue-gateway": ("gateway", "GATEWAY_METRICS_PORT"),
    "xqueue-relay": ("callback_relay", "METRICS_PORT"),
    "xqueue-passive": ("gateway.passive", "PASSIVE_METRICS_PORT"),
    "xqueue-upstream": ("gateway.upstream", "UPSTREAM_METRICS_PORT"),
    "xqueue-console": ("gateway.console", "CONSOLE_METRICS_PORT"),
}
# Nobody listens there.
UPSTREAMS = {"lms": {"url": "http://127.0.0.1:1/xqueue", "user": "watcher", "queues": {"there": "openedx"}}}
# Of a cluster alone, or of newer brokers than the oldest.
NOT_EVERYWHERE = {"rabbitmq_unreachable_cluster_peers_count"}


def broker_metrics(vhost: VHost) -> str:
    """Where the run's broker shows its metrics, if it does."""
    ports = [
        each["port"] for each in vhost.api("GET", "overview").json()["listeners"] if "prometheus" in each["protocol"]
    ]
    if not ports:
        assert os.environ.get("BROKER"), "the tests' own broker has rabbitmq_prometheus on"
        pytest.skip("the broker of this run does not have rabbitmq_prometheus on")
    return f"{urlsplit(vhost.management_url).hostname}:{ports[0]}"


@contextlib.asynccontextmanager
async def stack(vhost: VHost, folder: Path, ports: dict[str, int], grader_url: str) -> AsyncIterator[str]:
    """Run one of each, and give the gateway's address."""
    queues = {"openedx": None, "matlab": grader_url}
    declare(vhost.amqp_url, topology(queues, RETRY_DELAYS))
    port = free_port()
    settings = {
        "AMQP_URL": vhost.amqp_url,
        "SECRET_KEY": SECRET_KEY,
        "USERS": json.dumps(USERS),
        "XQUEUES": json.dumps(queues),
        "PORT": str(port),
        "UPLOAD_PATH": str(folder / "uploads"),
        "NOTICE_GRACE": "0",
        "RETRY_DELAYS": json.dumps(RETRY_DELAYS),
        "UPSTREAMS": json.dumps(UPSTREAMS),
        "UPSTREAM_PASSWORDS": '{"lms": "its password"}',
        "CONSOLE_PORT": str(free_port()),
        "CONSOLE_ACCOUNTS": json.dumps({"ann": "the password of Ann"}),
        **{setting: str(ports[job]) for job, (_, setting) in PROGRAMS.items()},
    }
    async with contextlib.AsyncExitStack() as running:
        for job, (module, _) in PROGRAMS.items():
            await running.enter_async_context(service_process(module, settings, folder / f"{job}.log"))
        yield f"http://127.0.0.1:{port}"


def traffic(gateway: str, vhost: VHost, lms: FakeLMS) -> None:
    """Have something come of everything: delivered, tried again, parked, waiting, with a grader."""
    with Client(gateway) as course, Client(gateway, "grader") as grader:
        wait_until(lambda: answers(course), SECONDS, "the gateway takes nothing")
        for path in ("/good", "/bad"):
            assert course.submit(lms.header(path, path=path), "work")[0] == 0
            assert grader.put(grader.get_one()["xqueue_header"], REPLY)[0] == 0
        # At an LMS that is away; at a passive grader; with a grader; waiting.
        assert course.submit(lms_header(), "work")[0] == 0
        assert grader.put(grader.get_one()["xqueue_header"], REPLY)[0] == 0
        assert course.submit(lms.header("passive", path="/passive", queue="matlab"), "work")[0] == 0
        assert course.submit(lms_header(queue="nobody's"), "work")[0] == 1
        for _ in range(2):
            assert course.submit(lms_header(), "work")[0] == 0
        grader.get_one()
    with pika.BlockingConnection(pika.URLParameters(vhost.amqp_url)) as connection:
        connection.channel().basic_publish(RESULTS_EXCHANGE, RESULTS_QUEUE, b"no result")


def answers(client: Client) -> bool:
    with contextlib.suppress(OSError):
        return client.raw("GET", "status/").ok
    return False


def expressions() -> Iterator[tuple[str, str]]:
    for title, panels in ROWS.items():
        for panel in panels:
            for asked in panel.asks.values():
                yield f"{title}: {panel.title}", asked.replace("$__rate_interval", "1m").replace("$queue", ".*")


def unanswered(prometheus: Prometheus, gateway: str) -> list[tuple[str, str]]:
    """Give those expressions that never had an answer, while calls go on, for as long as two scrapes may take."""
    left = list(expressions())
    deadline = monotonic() + SECONDS
    while left and monotonic() < deadline:
        with Client(gateway) as course:
            course.queuelen()
        left = [(title, asked) for title, asked in left if not prometheus.ask(asked)]
        sleep(1 if left else 0)
    return left


async def test_rules_load_and_every_question_of_the_dashboard_has_an_answer(vhost: VHost, tmp_path: Path) -> None:
    ports = {job: free_port() for job in PROGRAMS}
    targets = {job: [f"127.0.0.1:{port}"] for job, port in ports.items()}
    broker = broker_metrics(vhost)
    targets |= {"xqueue-rabbitmq": [broker], "xqueue-rabbitmq-queues": [broker]}
    async with running_lms() as lms, running_grader() as grader:
        lms.answer = lambda callback: Answer(503 if callback.path == "/bad" else 200)
        async with stack(vhost, tmp_path, ports, grader.url) as gateway:
            with running_prometheus(targets, tmp_path / "prometheus") as prometheus:
                await asyncio.to_thread(traffic, gateway, vhost, lms)
                await asyncio.to_thread(look, prometheus, gateway, vhost)


def look(prometheus: Prometheus, gateway: str, vhost: VHost) -> None:
    left = unanswered(prometheus, gateway)
    assert left == [], left
    known = set(prometheus.get("label/__name__/values"))
    for rule in alert_rules():
        asked = set(re.findall(r"\b(?:xqueue|rabbitmq)_\w+(?=[{\[) ]|$)", rule["expr"]))
        assert asked - known <= NOT_EVERYWHERE, rule["alert"]
    loaded = wait_until(
        lambda: all(rule["health"] == "ok" for rule in prometheus.rules()) and prometheus.rules(),
        SECONDS,
        "not evaluated",
    )
    assert {rule["name"] for rule in loaded} == {rule["alert"] for rule in alert_rules()}
    assert [(rule["name"], rule.get("lastError")) for rule in loaded if rule.get("lastError")] == []
    # A queue in which nothing happens is not taken for one without a leader. Other tests may have those.
    wait_until(lambda: not leaderless(prometheus, vhost), SECONDS, "a queue at rest counts as one without a leader")


def leaderless(prometheus: Prometheus, vhost: VHost) -> list[str]:
    alerts = (each["labels"] for each in prometheus.get("alerts")["alerts"])
    return [each["queue"] for each in alerts if each.get("vhost") == vhost.name and "Leader" in each["alertname"]]
