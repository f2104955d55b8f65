"""What metrics show: of a gateway that has answered a call or two, and of a site at a moment."""

from gateway.console.figures.figure_families import Moment
from gateway.figures.gateway_figures import Reading
from gateway.http.call_counts import CallCount


def counted(*ended: tuple[str, float]) -> CallCount:
    count = CallCount()
    for outcome, seconds in ended:
        count.ended(outcome, seconds)
    return count


READING = Reading(
    state="serving",
    connections={"publishing": True, "asking": False},
    calls={"submit": counted(("ok", 0.02), ("ok", 0.03), ("refused", 0.001)), "get_submission": counted(("empty", 70))},
    polls_waiting=3,
    held=5,
    unconfirmed=1,
    ledger_lag=0.25,
    ledger_is_caught_up=True,
    replay_seconds=4,
    logins_refused=7,
    logins_throttled=2,
)

MOMENT = Moment(
    now=30.0,
    ready={},
    paused={"quiet"},
    ledger_lag=0.5,
    ledger_is_caught_up=True,
    connections={"ledger": True},
    logins_refused=4,
    logins_throttled=1,
)
