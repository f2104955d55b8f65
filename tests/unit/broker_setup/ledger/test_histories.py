"""Whatever clocks, settings, windows and versions do, random histories (tests/support/histories.py) hold."""

import pytest

from broker_setup.ledger.heard import Heard
from tests.support.examples import examples
from tests.support.histories import play

HISTORIES = examples(500, 20_000)


@pytest.mark.unmeasured
def test_hundreds_of_random_histories_keep_every_promise() -> None:
    seen = play(HISTORIES)
    # And all that is to be borne was in them.
    assert all(seen[what] > HISTORIES / 2 for what in ("clocks set", "replays", "unknown events", "leases", "results"))


def by_the_times_in_the_ledger(_: Heard, at: float, until: float) -> float:
    return until


def test_they_find_leases_that_go_by_the_clocks_of_others_as_in_0_1_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heard, "end_of", by_the_times_in_the_ledger)
    with pytest.raises(AssertionError, match="history"):
        play(HISTORIES)
