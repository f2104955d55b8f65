"""On which rung a result waits for an LMS that is sick: until about the next probe, and not round and round; no I/O."""

from callback_relay.ladder import Ladder

# Results a second that go over the rungs for one LMS: a broker does ten times as many, and has other things to do.
CHURN = 500.0
# Likewise up to the third rung, where the LMS does not answer: each costs the relay a millisecond and the broker
# another, which those that are well wait for, and there is no good one among them that only a try can show.
SILENT_CHURN = 25.0
# Beyond this rung, 10 min unless set, nothing waits for a sick LMS, however much that is.
LAST_RUNG = 5


def sick_rung(ladder: Ladder, pause: float, away: int, all_away: int, *, answers: bool) -> float:
    """Return the rung for one of `away` results of an LMS that is probed each `pause` seconds, and `answers` or not.

    It is the first that is half as long as the pause, the third at the most: all come back within that of its mending.
    With so many that the rungs would be busy with them, it is a longer one; `all_away`, of all LMSs, make it no longer
    than the third.
    """
    brisk = CHURN if answers else SILENT_CHURN
    chosen = ladder.shortest
    for rung in ladder.delays[1:LAST_RUNG]:
        if chosen < ladder.third:
            is_enough = 2 * chosen >= pause and away <= brisk * chosen and all_away <= CHURN * chosen
        else:
            is_enough = away <= CHURN * chosen
        if is_enough:
            break
        chosen = rung
    return chosen
