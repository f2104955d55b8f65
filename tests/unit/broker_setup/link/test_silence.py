"""When a connection counts as silent: after looks in which nothing came, not after seconds in which we were frozen."""

import asyncio
from typing import Any

import pytest

from broker_setup.link import watching
from broker_setup.link.watching import until_silent

HEARTBEAT = 5


class Connection:
    """A connection on which something came at the looks that are numbered in `comes`."""

    def __init__(self, *comes: int) -> None:
        self._comes = comes
        self.looks = 0
        self._last = 100.0

    @property
    def last_heard_at(self) -> float:
        self.looks += 1
        if self.looks in self._comes:
            self._last += 1
        return self._last


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(seconds: float, sleep: Any = asyncio.sleep) -> None:
        assert seconds == watching.LOOK_SECONDS
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", at_once)


async def silent_after(*comes: int) -> int:
    """Return at which look the connection counted as silent."""
    connection: Any = Connection(*comes)
    await until_silent(connection, HEARTBEAT)
    return int(connection.looks)


async def test_after_a_heartbeats_time_without_a_frame_it_is_silent() -> None:
    # The first look only learns when the last frame came.
    assert await silent_after() == 1 + HEARTBEAT + 1


async def test_whatever_comes_begins_the_count_anew() -> None:
    assert await silent_after(4, 9, 14) == 14 + HEARTBEAT + 1
