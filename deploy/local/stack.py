"""The whole local stack, from broker to console: started, checked, looked after and stopped in order."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from broker_setup.link.blocking import count_ready
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, RESULTS_QUEUE
from deploy.local import check_plan, ports, self_check
from deploy.local.console import note, say, step
from deploy.local.errors import BootError
from deploy.local.node import PrivateNode
from deploy.local.secret import kept
from deploy.local.services import Plan, Service, stop_all

LOOK_EVERY = 0.2  # seconds


@dataclass(frozen=True)
class Options:
    """What the stack is to do."""

    data: Path
    cache: Path
    gateways: int
    settings: Settings  # for reading; the processes get the environment
    environ: Mapping[str, str]


class Stack:
    """Everything that `make up` runs; use it from the main thread (see Child)."""

    def __init__(self, options: Options) -> None:
        """Start nothing yet."""
        self._options = options
        self._env = dict(options.environ)
        self._node: PrivateNode | None = None
        self._gateways: list[Service] = []
        self._behind: list[Service] = []  # the relay, the bridge to passive graders if there are any, the console
        self.urls: list[str] = []
        self.metrics_urls: dict[str, str] = {}  # by whose they are
        self.console_url: str | None = None
        self._ports: list[int] = []

    @property
    def env(self) -> Mapping[str, str]:
        """What its processes are told; with the broker's addresses once that runs."""
        return self._env

    @property
    def management_url(self) -> str | None:
        """The management UI, if it is known."""
        return self._env.get("XQUEUE_MANAGEMENT_URL")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start all of it in order, and stop it in order whatever happens."""
        try:
            self._start_broker()
            self._declare()
            self._start_services()
            self._self_check()
            yield
        finally:
            if self._gateways or self._node:
                note("stopping gateways, relay and broker: some seconds")
            # Gateways first, so that nothing new comes in; the broker last, so that what is done can still be said.
            stop_all(self._gateways)
            stop_all(self._behind)
            if self._node:
                self._node.stop()

    def look_after(self) -> None:
        """Start again whatever ends, for ever."""
        while True:
            if self._node and not self._node.running:
                note(f"the broker ended; starting it again ({self._node.log})")
                self._node.start()
                if self._node.amqp_url != self._env["XQUEUE_AMQP_URL"]:
                    raise BootError("somebody took the broker's port while it was down: run `make up` again.")
            if self._node:
                self._node.tidy()
            for service in (*self._gateways, *self._behind):
                service.look_after(note)
            time.sleep(LOOK_EVERY)

    def _start_broker(self) -> None:
        with step("broker") as done:
            if self._options.environ.get("XQUEUE_AMQP_URL"):
                at = urlsplit(self._env["XQUEUE_AMQP_URL"])
                done.outcome = f"using XQUEUE_AMQP_URL, {at.hostname}:{at.port or 5672}"
                return
            self._node = PrivateNode(self._options.data, cache_dir=self._options.cache, say=note)
            self._node.start()
            self._env["XQUEUE_AMQP_URL"] = self._node.amqp_url
            self._env.setdefault("XQUEUE_MANAGEMENT_URL", self._node.management_url)
            at = urlsplit(self._node.amqp_url)
            done.outcome = f"private RabbitMQ node at {at.hostname}:{at.port} ({self._node.origin})"

    def _declare(self) -> None:
        with step("topology") as done:
            ran = subprocess.run(
                [sys.executable, "-m", "broker_setup", "declare", "--json"],
                env=self._env,
                capture_output=True,
                text=True,
                check=False,
            )
            if ran.returncode:
                raise BootError(f"the topology could not be declared: {ran.stderr.strip()}")
            done.outcome = f"{len(self._options.settings.topology.queues)} queues declared"

    def _start_services(self) -> None:
        data = self._options.data
        (data / "logs").mkdir(exist_ok=True)
        marker = kept(data / "marker")
        settings = self._options.settings
        for number in range(1, self._options.gateways + 1):
            port = self._port_for(f"gateway-{number}", settings.port + number - 1 if settings.port else 0)
            url = f"http://{reachable(settings.host)}:{port}"
            self.urls.append(url)
            env = self._env | {"XQUEUE_PORT": str(port)} | self._gateway_metrics(settings, number)
            self._gateways.append(Service(Plan(f"gateway-{number}", "gateway", env, f"{url}/readyz"), data, marker))
        # Below the gateways', however many there are.
        port = self._port_for("relay", settings.port - 1 if settings.metrics_port is None else settings.metrics_port)
        relay_url = f"http://{reachable(settings.metrics_host)}:{port}"
        self.metrics_urls["relay"] = f"{relay_url}/metrics"
        plans = [Plan("relay", "callback_relay", self._env | {"XQUEUE_METRICS_PORT": str(port)})]
        if settings.passive_graders:
            plans.append(self._bridge(settings))
        if settings.upstreams:
            plans.append(self._upstream(settings))
        if settings.console_accounts:
            plans.append(self._console(settings, relay_url))
        self._behind = [Service(plan, data, marker) for plan in plans]
        for service in (*self._gateways, *self._behind):
            service.child.stop_leftover()
            service.start()
        for service in (*self._gateways, *self._behind):
            if ready_url := service.plan.ready_url:
                with step(service.plan.name) as done:
                    service.wait_ready()
                    done.outcome = f"answers at {ready_url.removesuffix('/readyz')}"

    def _gateway_metrics(self, settings: Settings, number: int) -> dict[str, str]:
        """Choose the port for the metrics of a gateway: of several each has its own, one below that before."""
        first = settings.port - 3 if settings.gateway_metrics_port is None else settings.gateway_metrics_port
        port = self._port_for(f"gateway-{number}'s metrics", first - number + 1)
        host = reachable(settings.gateway_metrics_host)
        self.metrics_urls[f"gateway-{number}"] = f"http://{host}:{port}/metrics"
        return {"XQUEUE_GATEWAY_METRICS_PORT": str(port)}

    def _bridge(self, settings: Settings) -> Plan:
        wanted = settings.passive_metrics_port
        port = self._port_for("passive", settings.port - 2 if wanted is None else wanted)
        url = f"http://{reachable(settings.passive_metrics_host)}:{port}/readyz"
        return Plan("passive", "gateway.passive", self._env | {"XQUEUE_PASSIVE_METRICS_PORT": str(port)}, url)

    def _upstream(self, settings: Settings) -> Plan:
        wanted = settings.upstream_metrics_port
        port = self._port_for("upstream", settings.port + 12 if wanted is None else wanted)
        url = f"http://{reachable(settings.upstream_metrics_host)}:{port}/readyz"
        return Plan("upstream", "gateway.upstream", self._env | {"XQUEUE_UPSTREAM_METRICS_PORT": str(port)}, url)

    def _console(self, settings: Settings, relay_url: str) -> Plan:
        port = self._port_for("console", settings.console_port)
        self.console_url = f"http://{reachable(settings.console_host)}:{port}"
        # For operators, too: `xqueue-broker trace` asks it.
        self._env["XQUEUE_CONSOLE_PORT"] = str(port)
        wanted = settings.console_metrics_port
        metrics = self._port_for("console's metrics", port + 1 if wanted is None else wanted)
        self.metrics_urls["console"] = f"http://{reachable(settings.console_metrics_host)}:{metrics}/metrics"
        env = self._env | ({} if settings.console_relay_url else {"XQUEUE_CONSOLE_RELAY_URL": relay_url})
        env |= {"XQUEUE_CONSOLE_METRICS_PORT": str(metrics)}
        return Plan("console", "gateway.console", env, f"{self.console_url}/readyz")

    def _port_for(self, name: str, wanted: int) -> int:
        """Return the port that is wanted, or another if it is taken or none in particular (0) is."""
        good = wanted > 0 and wanted not in self._ports and ports.is_free(wanted)
        port = wanted if good else ports.pick(self._ports)
        if not good and wanted > 0:
            note(f"port {wanted} is taken: {name} uses {port}")
        self._ports.append(port)
        return port

    def _self_check(self) -> None:
        with step("self-check") as done:
            done.outcome = self._checked()

    def _checked(self) -> str:
        chosen = check_plan.plan(self._options.settings)
        if isinstance(chosen, str):
            return f"skipped: {chosen}"
        try:
            return self._round(chosen)
        except self_check.SelfCheckError as error:
            logs = self._options.data / "logs"
            raise BootError(f"self-check: {error} (the processes' logs are in {os.path.relpath(logs)})") from error

    def _round(self, chosen: check_plan.Plan) -> str:
        try:
            return self_check.run(self.urls[0], chosen, say)
        except self_check.CallbackLateError as error:
            results = sum(count_ready(self._env["XQUEUE_AMQP_URL"], [RESULTS_QUEUE, CHECKED_QUEUE]).values())
            relay_runs = self._behind[0].child.pid is not None
            return self_check.why_late(error, results, relay_runs=relay_runs)


def reachable(host: str) -> str:
    """Return where a client on this machine finds a server that listens on this address."""
    if host in {"0.0.0.0", "::", ""}:
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host
