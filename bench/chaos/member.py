"""One node of a cluster on the loopback: a RabbitMQ as `make up` runs it, with a name and ports of its own."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.node_files import USER, NodeFiles
from deploy.local.ports import LOOPBACK
from deploy.local.process import Child
from deploy.local.ready import amqp_answers, http_answers
from deploy.local.runtime import Runtime
from deploy.local.secret import write_private
from tests.support.ports import free_port

CTL_SECONDS = 60.0
STOP_SECONDS = 60.0
PORT_NAMES = ("amqp", "management", "prometheus", "distribution")


class Member:
    """One node; freeze, kill and start it as often as needed, the data stays. Start it from the main thread."""

    def __init__(
        self,
        name: str,
        number: int,
        above: Path,
        runtime: Runtime,
        *,
        epmd: int,
        secrets: Mapping[str, str],
        light: bool = False,
    ) -> None:
        """Lay out the node in a folder of `above`; `secrets` are the files, with their text, that a cluster shares."""
        folder = above / f"node{number}"
        (folder / "home").mkdir(mode=0o700, parents=True)
        for file, text in secrets.items():
            write_private(folder / file, text, 0o400)
        self.name = name
        # What it sends to others comes from here where it has called them, from its port where they have called it.
        self.calls_from = f"127.0.0.{100 + number}"
        self._files = NodeFiles(folder, light=light)
        self._runtime = runtime
        self._ports = {name: free_port() for name in PORT_NAMES} | {"epmd": epmd}
        self._server = Child(name, self._files.logs / "server.out", folder / "pid", marker=self._files.marker)
        self.log = self._files.logs / f"{name}.log"

    @property
    def management_url(self) -> str:
        """Its management API, with the account."""
        return f"http://{USER}:{self._files.password}@{LOOPBACK}:{self._ports['management']}"

    @property
    def distribution_port(self) -> int:
        """Where the other nodes call it."""
        return self._ports["distribution"]

    def amqp_url(self, vhost: str = "") -> str:
        """Return its URI, with the account."""
        return f"amqp://{USER}:{self._files.password}@{LOOPBACK}:{self._ports['amqp']}/{vhost}"

    @property
    def answers(self) -> bool:
        """Whether it takes clients."""
        return http_answers(f"{self.management_url}/api/overview") and amqp_answers(self.amqp_url())

    @property
    def is_alive(self) -> bool:
        """Whether its process is there."""
        return self._server.pid is not None

    def start(self) -> None:
        """Start it."""
        self._files.write(self._ports)
        self._server.start([str(self._runtime.server)], self._env(), cwd=self._files.folder)

    def join(self, first: str) -> None:
        """Make it one of the cluster of the node `first`."""
        # Not by peer discovery: 4.0 runs a second Erlang for that, which an unpacked one can't.
        for command in (("stop_app",), ("join_cluster", first), ("start_app",)):
            self.ctl("rabbitmqctl", *command)

    def freeze(self) -> None:
        """Stop it as it stands: its connections stay, and nothing comes any more."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._server.kill()

    def stop(self) -> None:
        """SIGTERM, as an operator's restart would, and wait."""
        self._server.stop(STOP_SECONDS)

    def ctl(self, tool: str, *arguments: str) -> str:
        """Run `rabbitmqctl` or another of its tools on this node, and return what it says."""
        command: Sequence[str] = [str(self._runtime.server.with_name(tool)), "--node", self.name, *arguments]
        done = subprocess.run(command, env=self._env(), capture_output=True, text=True, timeout=CTL_SECONDS, check=True)
        return done.stdout

    def _env(self) -> dict[str, str]:
        env = self._files.env(self._ports) | self._runtime.env | {"RABBITMQ_NODENAME": self.name}
        arguments = "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS"
        source = "{ip,{" + self.calls_from.replace(".", ",") + "}}"
        return env | {arguments: f"{env[arguments]} -kernel inet_dist_connect_options [{source}]"}

    def _signal(self, which: signal.Signals) -> None:
        if (pid := self._server.pid) is not None:
            os.kill(pid, which)
