"""How many submissions of a queue wait: one decision, from what the broker counts and what the ledger knows.

The broker alone knows what is ready, and the ledger alone what of that is superseded, and waits no more. Neither says
which superseded ones are ready: what an AMQP grader takes stands in no ledger before its reply. So the broker's number
is the upper bound, the same less everything superseded is the lower one, and in between counts what the ledger expects.
"""

from broker_setup.ledger.state import LedgerState


def count_waiting(state: LedgerState, queue: str, ready: int, now: float) -> int:
    """Count what waits in `queue`, of which `ready` messages are with nobody at `now` (seconds since the epoch).

    Never too low because of what graders hold. Too high by the superseded ones that are ready, at most, and by no more
    than there are submissions that the ledger expects and the broker has not: held over AMQP, or gone unheard of.
    """
    superseded = state.superseded_in(queue)
    if not superseded:
        return ready  # nearly always, and quickly: each submit asks
    return min(ready, max(state.expected_in(queue, now), ready - superseded, 0))
