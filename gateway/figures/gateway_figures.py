"""Every metric of a gateway: its name, what it means, and which number of a reading it shows."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from broker_setup.metrics_port.endpoint import Standing
from gateway.figures.families import Family, Sample, Together, number
from gateway.http.call_counts import BUCKETS, CallCount
from gateway.http.outcomes import Why
from gateway.http.readiness import LEAVING, SERVING, STATES, TRYING

PREFIX = "xqueue_gateway"
STATE = f"{PREFIX}_state"
# Whose refusals are shown with their reasons: what an LMS sends is settings and students' work, and both can be wrong.
SUBMIT = "submit"
_OF_RESULTS = {Why.LEASE, Why.REPLY}


@dataclass(frozen=True)
class Reading:
    """What a gateway's metrics show, as it is at this moment; times in seconds."""

    state: str
    connections: Mapping[str, bool]
    calls: Mapping[str, CallCount]
    polls_waiting: int
    held: int
    unconfirmed: int
    ledger_lag: float
    ledger_is_caught_up: bool
    replay_seconds: float
    logins_refused: int
    logins_throttled: int


class Figures:
    """Shows a gateway as it is when it is asked for."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def families(self) -> list[Family]:
        """Return every metric."""
        return list(families_of(self._read()))

    def standing(self) -> Standing:
        """Say what this gateway is at."""
        return standing_of(self.families())


def standing_of(families: Iterable[Family]) -> Standing:
    """Say what all processes of a gateway are at that show these families: one that serves is enough."""
    at = {
        sample.labels[0]: sample.numbers[0] for family in families if family.name == STATE for sample in family.samples
    }
    state = next((state for state in (SERVING, TRYING, LEAVING) if at.get(state)), TRYING)
    return Standing(state, is_ready=state == SERVING)


def families_of(reading: Reading) -> Iterator[Family]:
    """Show a reading."""
    yield from _of_calls(reading.calls)
    for what, text, value, together in _numbers_of(reading):
        yield number(f"{PREFIX}_{what}", text, value, together)
    yield Family(
        f"{PREFIX}_broker_connection_up",
        "1 while the connection to the broker stands",
        ("connection",),
        tuple(Sample((name,), (float(is_up),)) for name, is_up in reading.connections.items()),
        Together.LEAST,
    )
    yield Family(
        STATE,
        "How many processes of this gateway are at that",
        ("state",),
        tuple(Sample((state,), (float(state == reading.state),)) for state in STATES),
    )


def _numbers_of(reading: Reading) -> Iterator[tuple[str, str, float, Together]]:
    together = Together.SUM
    yield "polls_waiting", "Polls that wait for a submission", reading.polls_waiting, together
    yield "held", "Submissions that this gateway holds, leased or for the next polls", reading.held, together
    yield "unconfirmed", "Publishes that the broker has not confirmed yet", reading.unconfirmed, together
    yield "logins_refused_total", "Passwords that were wrong", reading.logins_refused, together
    yield (
        "logins_throttled_total",
        "Passwords not looked at, as too many were wrong",
        reading.logins_throttled,
        together,
    )
    yield "workers", "Processes of this gateway that say how they are", 1, together
    caught_up = reading.ledger_is_caught_up
    yield "ledger_lag_seconds", "How far behind the ledger's end this gateway is", reading.ledger_lag, Together.MOST
    yield "ledger_caught_up", "1 while all that the ledger holds is known here", caught_up, Together.LEAST
    yield "replay_seconds", "How long the ledger was read at the start", reading.replay_seconds, Together.MOST


def _of_calls(calls: Mapping[str, CallCount]) -> Iterator[Family]:
    yield Family(
        f"{PREFIX}_requests_total",
        "Calls that were made, by what came of them",
        ("call", "outcome"),
        tuple(
            Sample((name, outcome), (times,))
            for name, call in calls.items()
            for outcome, times in call.outcomes.items()
        ),
    )
    yield Family(
        f"{PREFIX}_request_seconds",
        "From a call's head to its answer",
        ("call",),
        tuple(Sample((name,), (*call.buckets, call.seconds)) for name, call in calls.items()),
        bounds=BUCKETS,
    )
    refused = calls.get(SUBMIT, CallCount()).whys
    yield Family(
        f"{PREFIX}_submits_refused_total",
        "Submits that were not taken, by the reason",
        ("reason",),
        tuple(Sample((why,), (times,)) for why, times in refused.items() if why not in _OF_RESULTS),
    )
