"""What is done to the cluster, by real means, for as long as a block runs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from bench.chaos.cluster import Cluster
from bench.chaos.load import Load
from bench.chaos.member import Member
from bench.chaos.site import Site
from broker_setup.topology import LEDGER
from tests.support.lms import Answer


@dataclass(frozen=True)
class Stage:
    """What a fault may touch."""

    cluster: Cluster
    vhost: str
    site: Site
    load: Load

    def node(self, number: int) -> Member:
        """Return a node by its number from 0."""
        return self.cluster.members[number]


Fault = Callable[[Stage], AbstractAsyncContextManager[None]]

# How long the LMS says 503 before its results' leader dies: enough for results to be on every rung.
SICK_SECONDS = 8.0


def freezes(number: int) -> Fault:
    """Freeze a node."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        stage.node(number).freeze()
        try:
            yield
        finally:
            stage.node(number).thaw()

    return fault


def dies(number: int) -> Fault:
    """Kill a node; it is started again afterwards."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        stage.node(number).kill()
        yield
        stage.node(number).start()

    return fault


def dies_under_results(number: int) -> Fault:
    """Kill a node while results come back from their rungs, as the LMS has refused them."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        well = stage.load.lms.answer
        stage.load.lms.answer = lambda _: Answer(503)
        await asyncio.sleep(SICK_SECONDS)
        stage.node(number).kill()
        stage.load.lms.answer = well
        yield
        stage.node(number).start()

    return fault


def loses_its_copy(number: int) -> Fault:
    """Delete a node's copy of the ledger."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        await _ctl(stage.node((number + 1) % 3), "rabbitmq-streams", "delete_replica", stage, stage.node(number).name)
        yield
        await _ctl(stage.node((number + 1) % 3), "rabbitmq-streams", "add_replica", stage, stage.node(number).name)

    return fault


async def _ctl(asked: Member, tool: str, what: str, stage: Stage, name: str) -> None:
    await asyncio.to_thread(asked.ctl, tool, what, "--vhost", stage.vhost, LEDGER, name)


# Told another cookie for each of the others, a node neither lets them in nor gets in there.
_COOKIE = "[erlang:set_cookie(N, '{cookie}') || N <- [{others}]]."
_PART = "[erlang:disconnect_node(N) || N <- [{others}]]."


def is_apart(number: int) -> Fault:
    """Keep a node from the other two, which keep each other; clients reach all three."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        others = ", ".join(f"'{member.name}'" for member in stage.cluster.members if member is not stage.node(number))

        async def tell(words: str, cookie: str) -> None:
            said = words.format(cookie=cookie, others=others)
            await asyncio.to_thread(stage.node(number).ctl, "rabbitmqctl", "eval", said)

        await tell(_COOKIE, "apart")
        await tell(_PART, "")
        try:
            yield
        finally:
            await tell(_COOKIE, stage.cluster.cookie)

    return fault
