"""How long a release may hold a submission back."""

from typing import Any

import pytest

from broker_setup.ledger.events import AnyEvent, Released, hash_key
from broker_setup.ledger.state import LedgerState
from gateway.leasing.lease_changes import LeaseChanges
from gateway.leasing.returns import Returns
from tests.support.leasing import anywhere
from tests.support.ledger_events import id_of, leased, uuid_of

CAP = 300.0


class FakeLedger:
    """Applies what is recorded, at once."""

    def __init__(self) -> None:
        self.state = LedgerState()
        self.recorded: list[AnyEvent] = []

    async def wait_up_to_date(self) -> None:
        """It always is."""

    async def record(self, event: AnyEvent) -> bool:
        self.recorded.append(event)
        return self.state.apply(event).valid


@pytest.mark.parametrize(
    ("delay", "available_at"), [(0, 1010), (30, 1040), (CAP, 1310), (CAP + 1, 1310), (float("inf"), 1310)]
)
async def test_a_released_submission_is_held_back_for_the_cap_of_its_queue_at_most(
    delay: float, available_at: float
) -> None:
    ledger: Any = FakeLedger()
    ledger.state.apply(leased(1, 1000, "k", until=1060))
    changes = LeaseChanges(ledger, lambda _: CAP, Returns(), clock=lambda: 1010, steady=lambda: 1010)
    await changes.release(id_of(1), "k", anywhere, delay=delay, failed=True)
    assert ledger.recorded == [Released(1010, uuid_of(1), hash_key("k"), available_at, failed=True)]
