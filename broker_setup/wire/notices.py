"""The results that tell a student that there will be no other: in the LMS's form, safe whatever their words; and when.

The LMS takes one reply for each key. A notice uses it up, and what a grader finds later is ignored: so it goes after a
grace, in which an operator may redrive what was parked.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, PARKED_EXCHANGE, notices_queue
from broker_setup.wire.markup import shown
from broker_setup.wire.results import Result


def failure_notice(message: str) -> bytes:
    """Make the reply that tells a student `message`; plain text, which the LMS shows as an alert."""
    # Neither right nor wrong, and no points; in the original's form.
    return json.dumps({"correct": None, "score": 0, "msg": f'<div class="capa_alert">{shown(message)}</div>'}).encode()


@dataclass(frozen=True)
class Telling:
    """When a student is told: at `at` (seconds since the epoch) the notice leaves `queue`, "" where it went at once."""

    at: float
    queue: str = ""

    @property
    def route(self) -> tuple[str, str]:
        """The exchange and the routing key of the notice."""
        return (PARKED_EXCHANGE, self.queue) if self.queue else (CHECKED_EXCHANGE, CHECKED_QUEUE)


# Of an earlier parking of the same.
TOLD_BEFORE = Telling(0.0)


def telling_after(grace: float, now: float) -> Telling:
    """Tell a student `grace` seconds from now."""
    return Telling(now + grace, notices_queue(grace) if grace else "")


def notice_of(
    submission: str, sealed_return: str, message: str, *, redriven: int = 0, at: float | None = None
) -> Result:
    """Make the result that tells the student of a submission (its uuid, its sealed return address) `message`.

    `redriven` says how often what was parked had been redriven; `at` is when the notice goes, now by default.
    """
    # Whoever sends it writes to the ledger that the submission was parked or retired.
    result = Result(submission, failure_notice(message), sealed_return, redriven=redriven, recorded=True, notice=True)
    return result if at is None else replace(result, graded_at=datetime.fromtimestamp(at, UTC))
