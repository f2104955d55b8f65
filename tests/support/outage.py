"""One kill of a node for all who are to live through it: a boot takes it 8 s of processor time."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.node import PrivateNode
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.waiting import eventually

# RabbitMQ 3.10 can't start a stream again that was declared less than a second before it was killed.
STREAM_SECONDS = 1.5


class Outage:
    """Comes when all parties are ready for it, and ends when all have done what they do meanwhile."""

    def __init__(self, node: PrivateNode, folder: Path, parties: int) -> None:
        """`folder` is the node's."""
        self.node = node
        self._data = folder / "node/data/xqueue@localhost"
        self._queues: list[str] = []
        self._prepared = asyncio.Barrier(parties)
        self._ready = asyncio.Barrier(parties)
        self._through = asyncio.Barrier(parties)
        self._durable, self._gone, self._back = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.measured = asyncio.Event()  # set when nobody measures times any more

    @contextmanager
    def vhost(self) -> Iterator[VHost]:
        with temporary_vhost(Broker(self.node.amqp_url.rstrip("/"), self.node.management_url)) as made:
            yield made

    async def is_near(self, queue: str) -> None:
        """Wait until all are prepared but for what takes a moment; `queue` is one on its vhost, by its name on disk."""
        self._queues.append(queue)
        if await self._prepared.wait() == 0:
            await eventually(self._is_on_disk)
            await asyncio.sleep(STREAM_SECONDS)
            self._durable.set()
        await self._durable.wait()

    async def begins(self) -> None:
        """Wait until the node was killed."""
        if await self._ready.wait() == 0:
            await asyncio.to_thread(self.node.kill)
            self._gone.set()
        await self._gone.wait()

    async def ends(self) -> None:
        """Wait until the node runs again."""
        if await self._through.wait() == 0:
            await asyncio.to_thread(self.node.start)
            self._back.set()
        await self._back.wait()

    def _is_on_disk(self) -> bool:
        """Whether it could be killed: one that has only just declared queues finds no leader for them again.

        RabbitMQ 3.10 writes the names of its Raft members half a second late, of streams' coordinator as of queues.
        """
        names = {kind: self._data / kind / "xqueue@localhost/names.dets" for kind in ("quorum", "coordination")}
        if not all(path.exists() for path in names.values()):
            return False
        queues = names["quorum"].read_bytes()
        return b"rabbit_stream_coordinator" in names["coordination"].read_bytes() and all(
            queue.encode() in queues for queue in self._queues
        )
