"""Puts together what a battle needs: a witness, hostile servers, and a stack of its own or a given one."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.attack.arena import Arena
from bench.attack.battle import Battle
from bench.attack.bystander import Work
from bench.attack.memory import Memory
from bench.attack.own_stack import own_stack
from bench.attack.target import Target
from bench.attack.witness import Witness, bare_server, witness
from tests.support.broker import VHost
from tests.support.passive import running_grader

Stack = contextlib.AbstractAsyncContextManager[tuple[Target, Work]]


@dataclass(frozen=True)
class Scale:
    """How much of everything: see Arena and Battle."""

    seconds: float = 8.0
    many: int = 10_000
    kinds: int = 100
    is_timed: bool = True


# For tests, on machines that do other things as well: about what stops, what is lost and what grows, and no times.
SHORT = Scale(seconds=0.1, many=200, kinds=3, is_timed=False)


@contextlib.asynccontextmanager
async def battle_with(stack: Callable[[Witness, str, str], Stack], scale: Scale) -> AsyncIterator[Battle]:
    """Open a battle; `stack` is told the witness, the URL of a hostile passive grader, and that of a bare server."""
    async with contextlib.AsyncExitStack() as opened:
        bare = await opened.enter_async_context(bare_server())
        passive = await opened.enter_async_context(running_grader())
        seen = await opened.enter_async_context(witness())
        target, work = await opened.enter_async_context(stack(seen, passive.url, bare))
        session = await opened.enter_async_context(aiohttp.ClientSession(trust_env=False))
        memory = opened.enter_context(Memory(target.processes))
        arena = Arena(target, seen.lms, passive, session, scale.seconds, scale.many, scale.kinds)
        seen.begin(work)
        battle = Battle(arena, seen, memory, is_timed=scale.is_timed)
        await battle.warm_up()
        yield battle


def on_own_stack(vhost: VHost, folder: Path, scale: Scale) -> contextlib.AbstractAsyncContextManager[Battle]:
    """Open a battle against services that are started for it, on an empty virtual host; logs go to `folder`."""

    def stack(seen: Witness, passive: str, bare: str) -> Stack:
        return own_stack(vhost, folder, good_grader=seen.grader, hostile_grader=passive, bare=bare)

    return battle_with(stack, scale)


def on_given_stack(target: Target, work: Work, scale: Scale) -> contextlib.AbstractAsyncContextManager[Battle]:
    """Open a battle against services that run already."""

    @contextlib.asynccontextmanager
    async def stack(_seen: Witness, _passive: str, bare: str) -> AsyncIterator[tuple[Target, Work]]:
        yield target, Work(**(vars(work) | {"bare": bare}))

    return battle_with(stack, scale)
