"""The short schedule of `make test`: one node, two gateways, a relay, and each of them dies or stands still."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

from bench.chaos.cluster import Leaders
from bench.chaos.faults import Fault, Stage
from bench.chaos.journal import EMPTY, TAKEN
from bench.chaos.process_faults import process_dies, process_freezes
from bench.chaos.schedules import NOTHING_LOST, Schedule
from bench.chaos.site import GATEWAYS, RELAYS
from bench.stack import BenchError

A, B, _ = GATEWAYS
RELAY = RELAYS[0]
ONLY = 0
STANDSTILL_SECONDS = 1.5
WELL_AGAIN_SECONDS = 120.0
LOOK_SECONDS = 0.05


@asynccontextmanager
async def node_restarts(stage: Stage) -> AsyncIterator[None]:
    """Kill the node, and start it again."""
    stage.node(ONLY).kill()
    yield
    await stage.cluster.start_again(stage.node(ONLY))


def one_after_the_other(*faults: tuple[Fault, float]) -> Fault:
    """Have each happen for so many seconds, and all be well again before the next."""

    @asynccontextmanager
    async def fault(stage: Stage) -> AsyncIterator[None]:
        for each, seconds in faults:
            async with each(stage):
                await asyncio.sleep(seconds)
            await _all_is_well(stage)
        yield

    return fault


async def _all_is_well(stage: Stage) -> None:
    """Wait until each gateway has taken a submission and answered a poll that it was asked for after now."""
    since = monotonic()
    wanted = {(gateway, kind) for gateway in stage.load.urls for kind in ("submit", "poll")}
    seen = 0
    while wanted:
        new = stage.load.journal.calls[seen:]
        seen += len(new)
        wanted -= {(call.gateway, call.kind) for call in new if call.began > since and call.outcome in {TAKEN, EMPTY}}
        if monotonic() > since + WELL_AGAIN_SECONDS:
            raise BenchError(f"not well again within {WELL_AGAIN_SECONDS:.0f} s: {sorted(wanted)}")
        await asyncio.sleep(LOOK_SECONDS)


SHORT = Schedule(
    "each dies or stands still, one after the other",
    "",
    Leaders(course=ONLY, ledger=ONLY, results=ONLY),
    {A: ONLY, B: ONLY, RELAY: ONLY},
    one_after_the_other(
        (process_dies(A), 0.5),
        (process_dies(RELAY), 0.5),
        (process_freezes(B), STANDSTILL_SECONDS),
        (node_restarts, 0.5),
    ),
    seconds=0,
    # What takes how long is a matter of the machine, which other tests share.
    always=NOTHING_LOST,
    thinking=0.4,  # so that some have work whenever something dies
    warm_up=1,
    after=0,
)
