"""What becomes of a parked message that is to be redriven."""

import pytest

from broker_setup.ledger.state import LedgerState
from broker_setup.operator.parked.redrive_plan import Fate, fate_of
from broker_setup.wire.parked import Kind, ParkedMessage
from broker_setup.wire.properties import MAX_MESSAGE_BYTES


@pytest.mark.parametrize(
    ("size", "fate"),
    [(MAX_MESSAGE_BYTES, Fate.GOES), (MAX_MESSAGE_BYTES + 1, Fate.STUCK)],
    ids=["just so", "too large"],
)
def test_what_is_too_large_for_a_message_of_ours_stays_where_it_is(size: int, fate: Fate) -> None:
    parked = ParkedMessage(Kind.SUBMISSION, "0" * 32, "openedx", "", "", None, None, 1, 0, size)
    assert fate_of(parked, {"openedx"}, LedgerState(), 0.0) is fate
