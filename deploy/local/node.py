"""A private RabbitMQ node: an ordinary process with its own ports, cookie, epmd and data folder."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from deploy.local import find, lock, ports
from deploy.local.container import container_command, container_env, remove_container
from deploy.local.errors import BootError, BusyError
from deploy.local.folders import refuse_odd
from deploy.local.node_files import PORT_NAMES, USER, NodeFiles
from deploy.local.ports import LOOPBACK
from deploy.local.process import Child
from deploy.local.ready import amqp_answers, http_answers, queues_answer, wait_until
from deploy.local.runtime import Container, Runtime, prepare

BOOT_SECONDS = 90.0  # about 5 on an idle machine; a long recovery or a busy one takes more
PULL_SECONDS = 600.0  # a container's image may have to be fetched first
STOP_SECONDS = 11.0  # 5 to 8 are usual; the whole stack has 15
QUEUES_SECONDS = 20.0  # a queue that is not back by then will not be; what uses it says so better than we can
TRIES = 3


class PrivateNode:
    """One node in one data folder; start, stop and kill it as often as needed, the data stays.

    Its ports and password are kept, so the URLs stay the same over a restart while nobody else takes the ports.
    Start it from a thread that outlives it (see Child).
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        cache_dir: Path | None = None,
        say: Callable[[str], None] = lambda _: None,
        light: bool = False,
    ) -> None:
        """Prepare a node in data_dir/node; unpacked packages are kept in cache_dir, by default data_dir/cache.

        A light one takes less processor time, runs on one core at most, and logs warnings alone.
        """
        self._folder = data_dir.resolve() / "node"
        self._cache = (cache_dir or data_dir / "cache").resolve()
        self._say = say
        self._light = light
        self._files: NodeFiles | None = None
        self._ports: dict[str, int] = {}
        self._runtime: Runtime | Container | None = None
        self._owned = contextlib.ExitStack()
        self.origin = "not started"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self._folder / "logs" / "xqueue@localhost.log"

    @property
    def amqp_url(self) -> str:
        """The URI of the default virtual host, with user and password."""
        return f"amqp://{USER}:{self._made.password}@{LOOPBACK}:{self._ports['amqp']}/"

    @property
    def management_url(self) -> str:
        """The base URL of the management UI and its /api, with user and password."""
        return f"http://{USER}:{self._made.password}@{LOOPBACK}:{self._ports['management']}"

    @property
    def running(self) -> bool:
        """Whether the server's process is there."""
        return self._server.pid is not None

    def start(self) -> None:
        """Start it and wait until both AMQP and the management API answer."""
        if not self._ports:
            self._claim()
        if self._runtime is None:
            self._runtime = prepare(find.of_our_own(os.environ), self._cache, self._say)
            self.origin = self._runtime.origin
        for child in (self._server, self._epmd):
            if child.stop_leftover():
                self._say(f"broker: stopped a {child.name} that an earlier run left behind")
        for attempt in range(1, TRIES + 1):
            self._ports = ports.remembered(self._made.ports, PORT_NAMES)
            self._made.write(self._ports)
            self._launch(self._runtime)
            patience = PULL_SECONDS if isinstance(self._runtime, Container) else BOOT_SECONDS
            wait_until(lambda: self._answers() or not self.running, patience)
            if self.running and self._answers():
                wait_until(self._queues_answer, QUEUES_SECONDS)
                return
            self._end_processes()
            # Somebody may have taken a port since we looked; anything else will not get better by itself.
            if attempt == TRIES or all(ports.is_free(port) for port in self._ports.values()):
                break
        raise BootError(f"RabbitMQ did not come up; {self._server.log} and {self.log} tell why.")

    def _queues_answer(self) -> bool:
        # Each stream has a folder.
        has_some = any(self._folder.glob("data/*/stream/*"))
        return queues_answer(self.amqp_url, self.management_url, has_some=has_some)

    def tidy(self) -> None:
        """Keep what it prints from growing for ever, which in a container is its whole log."""
        self._server.put_log_aside()

    def stop(self) -> None:
        """Stop it in good order and let the folder go."""
        self._end_processes()
        self._owned.close()

    def kill(self) -> None:
        """SIGKILL the server, as a crash would; start() brings it back with its data."""
        if isinstance(self._runtime, Container):
            remove_container(self._made.marker)
        self._server.kill()
        self._epmd.stop(2)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.stop()

    @property
    def _made(self) -> NodeFiles:
        if self._files is None:
            raise BootError("the node was not started yet: it has no ports and no password")
        return self._files

    def _claim(self) -> None:
        refuse_odd(self._folder, self._cache)
        try:
            self._owned.enter_context(lock.held(self._folder / "lock"))
        except BlockingIOError:
            raise BusyError(f"another process runs the broker in {self._folder}: stop that one first.") from None
        self._files = NodeFiles(self._folder, light=self._light)
        self._server = Child(
            "server", self._files.logs / "server.out", self._folder / "server.pid", marker=self._files.marker
        )
        epmd_marker = "-relaxed_command_check"  # see _launch
        self._epmd = Child("epmd", self._files.logs / "epmd.out", self._folder / "epmd.pid", marker=epmd_marker)

    def _launch(self, runtime: Runtime | Container) -> None:
        if isinstance(runtime, Container):
            remove_container(self._made.marker)
            command = container_command(runtime.image, self._made.marker, self._ports)
            self._server.start(command, container_env(self._made))
            return
        env = self._made.env(self._ports) | runtime.env
        epmd_port = str(self._ports["epmd"])
        # epmd first and as our child: left to Erlang it becomes a daemon that nobody stops. The flag lets it be told to
        # stop while nodes are registered; here it mostly serves to recognise it.
        self._epmd.start([str(runtime.epmd), "-port", epmd_port, "-address", LOOPBACK, "-relaxed_command_check"], env)
        wait_until(lambda: not ports.is_free(self._ports["epmd"]), 5)
        self._server.start([str(runtime.server)], env, cwd=self._folder)

    def _answers(self) -> bool:
        return http_answers(f"{self.management_url}/api/overview") and amqp_answers(self.amqp_url)

    def _end_processes(self) -> None:
        if self._files is None:  # it got no further than to be refused its folder
            return
        self._server.stop(STOP_SECONDS)
        self._epmd.stop(2)
