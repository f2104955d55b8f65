"""A desk where results are handed in, with a ledger and a publisher that a test holds in its hand."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from broker_setup.ledger.answers import Standing
from gateway.leasing.results import Results
from tests.support.leasing import DELAY, FakeLedger, FakePublisher, anywhere
from tests.support.ledger_events import id_of, leased, submitted, uuid_of

START = 1_000.0


class Desk:
    """Where results are handed in; submission 1 is leased under the key `key`."""

    def __init__(self) -> None:
        self.now = START + 1
        self.ledger = FakeLedger()
        self.publisher = FakePublisher()
        publisher: Any = self.publisher
        self.results = Results(
            self.ledger.as_ledger, publisher, check=None, clock=lambda: self.now, steady=lambda: self.now
        )
        self.ledger.happens(submitted(1, START), leased(1, START, "key", until=START + DELAY))

    def put(self, body: bytes = b"reply", key: str = "key", number: int = 1) -> Awaitable[None]:
        return self.results.take(id_of(number), key, body, anywhere)

    def begin(self, body: bytes = b"reply", key: str = "key") -> asyncio.Task[None]:
        return asyncio.create_task(self.results.take(id_of(1), key, body, anywhere))

    def standing(self) -> Standing:
        return self.ledger.state.standing(uuid_of(1), self.now)
