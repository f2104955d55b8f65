"""The load of the bench does as LMSs and graders do where a gateway is busy."""

import pytest

from bench import load
from bench.http_client import BusyError
from bench.load import MOST_TRIES, submit

ACCEPTED = b'{"return_code": 0, "content": "1"}'


class Busy:
    """A connection to a gateway that is so often busy before it takes a request."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.calls = 0

    async def call(self, _: bytes) -> bytes:
        self.calls += 1
        if self.calls <= self.times:
            raise BusyError
        return ACCEPTED

    def close(self) -> None:
        """Do nothing."""


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "BUSY_SECONDS", 0.0)


def connected_to(busy: Busy, monkeypatch: pytest.MonkeyPatch) -> None:
    async def connect(_: int) -> Busy:
        return busy

    monkeypatch.setattr(load, "connect", connect)


async def test_a_gateway_that_is_busy_for_a_moment_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = Busy(2)
    connected_to(busy, monkeypatch)
    await submit([1], 3, 1, "http://127.0.0.1:1", 0)
    assert busy.calls == 5


async def test_a_gateway_that_is_always_busy_ends_the_load(monkeypatch: pytest.MonkeyPatch) -> None:
    connected_to(Busy(10**6), monkeypatch)
    with pytest.raises(ExceptionGroup) as raised:
        await submit([1], 1, 1, "http://127.0.0.1:1", 0)
    assert str(MOST_TRIES) in str(raised.value.exceptions[0])
