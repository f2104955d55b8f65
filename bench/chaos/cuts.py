"""Cuts in the network: between one node and the others, or a process and all nodes; both ways, or one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.chaos.faults import Fault, Stage
from bench.chaos.namespace import drop, drop_nothing


def node_is_cut(number: int, *, hears: bool = False, is_heard: bool = False) -> Fault:
    """Drop what goes between a node and the others, but for what it still `hears`, or what is still heard of it.

    Clients reach all nodes. It takes a network namespace.
    """

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        node = stage.node(number)
        if not hears:
            drop(("--dport", str(node.distribution_port)))
            drop(("--dst", node.calls_from))
        if not is_heard:
            drop(("--sport", str(node.distribution_port)))
            drop(("--src", node.calls_from))
        try:
            yield
        finally:
            drop_nothing()

    return fault


def is_cut_off(name: str, *, sends: bool = False, hears: bool = False) -> Fault:
    """Pass nothing on between a process and the cluster, but for what it still `sends` or `hears`."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        stage.site[name].cut_off(sends=sends, hears=hears)
        try:
            yield
        finally:
            stage.site[name].join_again()

    return fault
