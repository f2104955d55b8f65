"""Counts calls, by how they ended and how long they took: in plain numbers, as a call pays for it a microsecond."""

from bisect import bisect_left
from collections import defaultdict
from time import perf_counter

from starlette.requests import Request
from starlette.responses import Response

from gateway.http.guarded_calls import Endpoint
from gateway.http.outcomes import Outcome, Why, end_of

# Seconds. A submit or a result takes some 5 to 50 ms, and 3 at the most; a poll may wait for 60.
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_OUTCOME = "outcome"
_ERRORS = 400


class CallCount:
    """One call: how often it ended in which way, for which reasons it was not done, and how long it took."""

    __slots__ = ("buckets", "outcomes", "seconds", "whys")

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = dict.fromkeys(map(str, Outcome), 0)
        self.whys: dict[str, int] = dict.fromkeys(map(str, Why), 0)
        # Of each how many took no longer than it says, and longer than the one before; at the end, longer than all.
        self.buckets = [0] * (len(BUCKETS) + 1)
        self.seconds = 0.0

    def ended(self, outcome: str, seconds: float) -> None:
        """Count one more."""
        self.outcomes[outcome] += 1
        self.buckets[bisect_left(BUCKETS, seconds)] += 1
        self.seconds += seconds


# By the name of the call.
CallCounts = defaultdict[str, CallCount]

_OK, _REFUSED, _EMPTY = str(Outcome.OK), str(Outcome.REFUSED), str(Outcome.EMPTY)


def counted(endpoint: Endpoint, count: CallCount) -> Endpoint:
    """Count each call of an endpoint, which takes as long as its answer is not ready."""

    async def call(request: Request) -> Response:
        began = perf_counter()
        try:
            answer = await endpoint(request)
        except BaseException as error:
            outcome, why = end_of(error)
            count.whys[why] += 1
            count.ended(outcome, perf_counter() - began)
            raise
        said = request.scope.get("state", {}).get(_OUTCOME, _OK)
        count.ended(said if answer.status_code < _ERRORS else _REFUSED, perf_counter() - began)
        return answer

    return call


def note_empty(request: Request) -> None:
    """Note that there is nothing for whoever asks: that is an answer, and no error."""
    request.scope.setdefault("state", {})[_OUTCOME] = _EMPTY
