"""What is done to XQueue's own processes, to their LMS, and to all nodes at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

from bench.chaos.faults import Fault, Stage
from bench.chaos.journal import Standstill


def process_dies(name: str) -> Fault:
    """Kill a process; it is started again afterwards."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        stage.site[name].kill()
        yield
        stage.site[name].start()

    return fault


def process_freezes(name: str) -> Fault:
    """Stop a process as it stands."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        since = monotonic()
        stage.site[name].freeze()
        try:
            yield
        finally:
            stage.load.journal.standstills.append(Standstill(name, since, monotonic()))
            stage.site[name].thaw()

    return fault


@asynccontextmanager
async def nothing(stage: Stage) -> AsyncIterator[None]:
    """Do nothing: what is odd is there from the start."""
    yield


@asynccontextmanager
async def lms_is_away(stage: Stage) -> AsyncIterator[None]:
    """Have nobody listen where callbacks go."""
    await stage.load.lms.stop()
    try:
        yield
    finally:
        await stage.load.lms.start()


@asynccontextmanager
async def all_nodes_die(stage: Stage) -> AsyncIterator[None]:
    """Kill all nodes at once; all are started at once afterwards."""
    for member in stage.cluster.members:
        member.kill()
    yield
    for member in stage.cluster.members:
        member.start()


@asynccontextmanager
async def brokers_restart(stage: Stage) -> AsyncIterator[None]:
    """Stop and start one node after the other, as an upgrade would."""
    await stage.cluster.restart_each()
    yield


def alarm(command: Sequence[str], undo: Sequence[str]) -> Fault:
    """Have a node's rabbitmqctl set a limit that is passed already: publishes hang on all nodes."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        await asyncio.to_thread(stage.node(0).ctl, "rabbitmqctl", *command)
        try:
            yield
        finally:
            await asyncio.to_thread(stage.node(0).ctl, "rabbitmqctl", *undo)

    return fault


memory_alarm = alarm(("set_vm_memory_high_watermark", "0.00001"), ("set_vm_memory_high_watermark", "0.4"))
disk_alarm = alarm(("set_disk_free_limit", "900000GB"), ("set_disk_free_limit", "200MB"))
