"""On which rung a result waits for an LMS that is sick: until about the next probe, and not round and round; no I/O."""

from callback_relay.ladder import Ladder

# Results a second that go over the rungs for one LMS: a broker does ten times as many, and has other things to do.
CHURN = 500.0
# Beyond this rung, 10 min unless set, nothing waits for a sick LMS, however much that is.
LAST_RUNG = 5


def holding_rung(ladder: Ladder, pause: float, held: int, all_held: int) -> float:
    """Return the rung for one of `held` results of an LMS that is probed each `pause` seconds.

    It is the first that is half as long as the pause, the third at the most: all come back within that of its mending.
    With so many that the rungs would be busy with them, it is a longer one; `all_held`, of all LMSs, make it no longer
    than the third.
    """
    shortest, *longer = ladder.delays[:LAST_RUNG]
    chosen = shortest
    for rung in longer:
        is_short = chosen < ladder.third and (2 * chosen < pause or all_held > CHURN * chosen)
        if not is_short and held <= CHURN * chosen:
            break
        chosen = rung
    return chosen
