"""What goes from the console's index takes its counts along, and misleads no search that runs beside it."""

import pytest

from broker_setup.ledger.answers import VALID
from gateway.console.known import index as known_index
from gateway.console.known.block import ROWS
from gateway.console.known.standings import NAMES, State
from tests.support.ledger_events import uuid_of
from tests.unit.gateway.console.test_submission_index import index_of, leased, numbers, submitted


def test_an_event_at_which_its_own_submission_goes_is_counted_for_one_that_came_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known_index, "BYTES_EACH", 150)
    index = index_of(*map(submitted, range(ROWS + 1)), most=3 * ROWS)
    while index.size > ROWS:
        index.take(leased(0), VALID, "gateway a")
    assert (index.size, index.count("q", State.WAITING), index.count("q", State.LEASED)) == (2, 1, 1)
    assert len(numbers(index, states=NAMES["leased"])) == 1


def test_a_search_that_meets_the_drop_of_a_block_finds_the_right_submission_or_none() -> None:
    index = index_of(*map(submitted, range(2 * ROWS)))
    kept, gone = index.find(uuid_of(ROWS)), index.find(uuid_of(0))
    assert kept is not None
    assert gone is not None
    kept_id, gone_id, dropped = kept.submission_id, gone.submission_id, index._dropped

    class Watched(type(index._blocks)):  # type: ignore[misc]
        def popleft(self) -> object:
            block = super().popleft()
            assert index._dropped == dropped
            assert index.find_id(kept_id) == kept
            assert index.find_id(gone_id) is None
            return block

    index._blocks = Watched(index._blocks)
    index._most = 2 * ROWS
    index.take(submitted(2 * ROWS), VALID, "gateway a")
    assert index._dropped == dropped + 1
