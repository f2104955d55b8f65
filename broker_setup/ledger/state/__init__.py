"""What the ledger's events add up to: a pure function of them, the same for every process that reads them.

`ledger_state.py` answers questions and takes events in. What an event does is decided in `competing_leases.py`,
`result_decision.py`, `superseding.py` and `leaving.py`; all of them read and write `facts.py`, which is made of
`leases.py`, `settled.py`, `waiting.py`, `superseded.py` and `closed.py`. What there may be a million of stands
on `shelves.py`.
"""

from broker_setup.ledger.state.ledger_state import LedgerState

__all__ = ["LedgerState"]
