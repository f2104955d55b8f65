"""Moves all that is in XQueue's queues to another broker, and copies the ledger there."""

from collections import Counter
from collections.abc import Callable

from pydantic import SecretStr

from broker_setup.link.blocking import connect
from broker_setup.operator.migrate.ledger_copy import copy_ledger
from broker_setup.operator.migrate.moving import Mover, read_witness
from broker_setup.operator.migrate.plan import witness_queue
from broker_setup.operator.session import Session
from broker_setup.queue_arguments import work_queue
from broker_setup.settings import Settings
from broker_setup.topology import LEDGER

COMMAND = "xqueue-broker migrate"


class Removal:
    """One run of the command with --to and --yes."""

    def __init__(self, settings: Settings, to: str, tell: Callable[[str, int], None]) -> None:
        """`to` is the other broker's AMQP URL; `tell` is called with what is moved, and how much of it so far."""
        self._settings = settings
        self._to = to
        self._tell = tell
        self._here = Session(settings, COMMAND)
        self._there = Session(settings.model_copy(update={"amqp_url": SecretStr(to)}), COMMAND)
        self.moved: Counter[str] = Counter()
        self.frames = 0

    async def run(self, *, with_ledger: bool) -> None:
        """Copy the ledger, then move queue by queue; what others hold is left, for the next run."""
        async with self._here.open(read_ledger=False), self._there.open(read_ledger=False):
            for session in (self._here, self._there):
                await session.claim()
            if with_ledger:
                self.frames = await copy_ledger(self._here, self._there, lambda frames: self._tell(LEDGER, frames))
            for queue in self._settings.topology.queues:
                if queue.name != LEDGER:
                    await self._move(queue.name)

    async def _move(self, name: str) -> None:
        witness = witness_queue(name)
        with connect(self._to) as connection:
            connection.channel().queue_declare(witness, durable=True, arguments=dict(work_queue()))
        mover = Mover(self._here.source, self._there.source, witness)
        await mover.begin()
        self.moved[name] = await mover.drain(name, name)
        self._tell(name, self.moved[name])
        if not (await read_witness(self._there.source, witness)).copied:
            with connect(self._to) as connection:
                connection.channel().queue_delete(witness)
