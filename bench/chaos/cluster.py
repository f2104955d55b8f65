"""A real cluster of RabbitMQ nodes on the loopback, three or one, set as docs/howto/cluster.md advises."""

import asyncio
import contextlib
import os
import secrets
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from bench.chaos.member import Member
from bench.stack import BenchError
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import CHECKED_QUEUE, LEDGER, Topology, submissions_queue
from deploy.local import find, ports
from deploy.local.node_files import USER
from deploy.local.process import Child
from deploy.local.ready import amqp_answers, wait_until
from deploy.local.runtime import Container, Runtime, prepare
from tests.support.broker import CACHE, call
from tests.support.ports import free_port

NODES = 3
BOOT_SECONDS = 120.0
# A paused node comes back by itself within seconds, or on 3.10.8 sometimes not at all.
HEAL_SECONDS = 30.0
# The queues: of graders that pull, of one that speaks AMQP, and of one that the bridge calls.
QUEUE, AMQP_QUEUE, BRIDGE_QUEUE = "openedx", "amqp", "bridge"
EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


class Cluster:
    """Some nodes; use it from the main thread (see deploy.local.process.Child)."""

    def __init__(self, folder: Path, say: Callable[[str], None], *, nodes: int = NODES, light: bool = False) -> None:
        """Lay out the nodes; start nothing. Light ones take less processor time."""
        runtime = prepare(find.of_our_own(os.environ), CACHE, say)
        if isinstance(runtime, Container):
            raise BenchError("a cluster needs an installed RabbitMQ, or the system's packages")
        self._runtime: Runtime = runtime
        self._folder = folder
        self._say = say
        self._epmd_port = free_port()
        shared = {"password": secrets.token_hex(16), "home/.erlang.cookie": secrets.token_hex(16)}
        self.cookie = shared["home/.erlang.cookie"]
        self.members: Sequence[Member] = [
            Member(
                f"xqueue{number}@localhost",
                number,
                folder,
                runtime,
                epmd=self._epmd_port,
                secrets=shared,
                light=light,
            )
            for number in range(1, nodes + 1)
        ]
        self._epmd = Child("epmd", folder / "epmd.out", folder / "epmd.pid", marker="-relaxed_command_check")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the nodes for as long as the block runs; their data is not wanted afterwards."""
        first, *others = self.members
        try:
            command = [str(self._runtime.epmd), "-port", str(self._epmd_port), "-address", ports.LOOPBACK]
            self._epmd.start([*command, "-relaxed_command_check"], self._runtime.env)
            self._start(first)
            for member in others:
                self._start(member)
                member.join(first.name)
            yield
        finally:
            for member in self.members:
                member.kill()
            self._epmd.stop(2)

    def _start(self, member: Member) -> None:
        member.start()
        wait_until(lambda: member.answers or not member.is_alive, BOOT_SECONDS)
        if not member.answers:
            raise BenchError(f"{member.name} did not come up: {member.log} tells why")

    @property
    def version(self) -> str:
        """RabbitMQ's, as the first node says it."""
        return str(call(self.members[0].management_url, "GET", "overview").json()["rabbitmq_version"])

    async def restart_each(self) -> None:
        """Stop and start one node after the other, each once the others are whole."""
        for member in self.members:
            await asyncio.to_thread(member.stop)
            await self.start_again(member)

    async def start_again(self, member: Member) -> None:
        """Start a node that was there before, and wait until all are whole."""
        member.start()
        if not await self._whole(BOOT_SECONDS):
            raise BenchError(f"{member.name} did not come back from its restart")

    async def heal(self) -> None:
        """Return once all nodes run and none is apart; one that does not come back is killed and started again."""
        for member in self.members:
            member.thaw()
            if not member.is_alive:
                member.start()
        if await self._whole(HEAL_SECONDS):
            return
        for member in self.members:
            if not await asyncio.to_thread(self._is_seen_by_most, member):
                self._say(f"{member.name} did not come back by itself: started again")
                member.kill()
                member.start()
                await self._whole(HEAL_SECONDS)
        if not await self._whole(BOOT_SECONDS):
            raise BenchError("the cluster did not come together again")

    async def _whole(self, seconds: float) -> bool:
        return await asyncio.to_thread(
            wait_until, lambda: all(self._sees_all(member) for member in self.members), seconds
        )

    def _is_seen_by_most(self, member: Member) -> bool:
        views = [self._running(each) for each in self.members]
        return sum(member.name in view for view in views) > len(views) / 2 and bool(self._running(member))

    def _running(self, asked: Member) -> Collection[str]:
        with contextlib.suppress(requests.RequestException):
            nodes = call(asked.management_url, "GET", "nodes").json()
            return [node["name"] for node in nodes if node["running"]]
        return ()

    def _sees_all(self, member: Member) -> bool:
        with contextlib.suppress(requests.RequestException):
            nodes = call(member.management_url, "GET", "nodes").json()
            return len(nodes) == len(self.members) and all(
                node["running"] and not node.get("partitions") for node in nodes
            )
        return False

    @asynccontextmanager
    async def vhost(self, topology: Topology, leaders: "Leaders") -> AsyncIterator[str]:
        """Make a virtual host with the topology, each leader where it should be."""
        name = f"chaos-{uuid.uuid4().hex[:8]}"
        try:
            # Each node has to begin it, and one that has just come back may take long, or be told again.
            await asyncio.to_thread(wait_until, lambda: self._takes_clients(name), BOOT_SECONDS)
            # A queue's leader begins on the node that it was declared on.
            for number, queues in leaders.by_node(topology):
                await asyncio.to_thread(declare, self.members[number].amqp_url(name), queues)
            await asyncio.to_thread(declare, self.members[0].amqp_url(name), topology)
            if len(self.members) > 1:  # what the management API knows of queues comes only every 5 s
                await asyncio.to_thread(wait_until, lambda: self._stands(name, leaders), HEAL_SECONDS)
            yield name
        finally:
            with contextlib.suppress(requests.RequestException):
                await asyncio.to_thread(call, self.members[0].management_url, "DELETE", f"vhosts/{name}")

    def queue(self, vhost: str, queue: str, *, seen_by: int = 0) -> Any:
        """Ask a node of a queue, as the management API has it."""
        path = f"queues/{quote(vhost)}/{quote(queue)}"
        return call(self.members[seen_by].management_url, "GET", path).json()

    def left(self, vhost: str) -> int:
        """Count what waits in a vhost's queues, whoever holds it; what a stream keeps waits for nobody."""
        queues = call(self.members[0].management_url, "GET", f"queues/{quote(vhost)}").json()
        return sum(each.get("messages", 0) for each in queues if each.get("type") != "stream")

    def _takes_clients(self, vhost: str) -> bool:
        url = self.members[0].management_url
        with contextlib.suppress(requests.RequestException):
            call(url, "PUT", f"vhosts/{vhost}", json={})
            call(url, "PUT", f"permissions/{vhost}/{USER}", json=EVERYTHING)
            states = dict(call(url, "GET", f"vhosts/{vhost}").json()["cluster_state"])  # 4.0 has an empty one as []
            for node in (name for name, state in states.items() if state != "running"):
                call(url, "POST", f"vhosts/{vhost}/start/{node}")
            return all(amqp_answers(member.amqp_url(vhost)) for member in self.members)
        return False

    def _stands(self, vhost: str, leaders: "Leaders") -> bool:
        with contextlib.suppress(requests.RequestException):
            for queue, number in leaders.of_queues.items():
                found = self.queue(vhost, queue)
                # 3.10 names a stream's writer in no place of its own.
                leader = found.get("leader") or found.get("node")
                if leader != self.members[number].name or len(found.get("online", ())) < len(self.members):
                    return False
            return True
        return False


class Leaders:
    """On which node the leader of each queue that matters is to be, by its number from 0."""

    def __init__(self, *, course: int, ledger: int, results: int) -> None:
        """Say on which node each is to be."""
        self.of_queues = {submissions_queue(QUEUE): course, LEDGER: ledger, CHECKED_QUEUE: results}

    def by_node(self, topology: Topology) -> Iterator[tuple[int, Topology]]:
        """Return what is to be declared on which node, before all else."""
        for number in sorted(set(self.of_queues.values())):
            queues = [queue for queue in topology.queues if self.of_queues.get(queue.name) == number]
            yield number, Topology((), queues, ())
