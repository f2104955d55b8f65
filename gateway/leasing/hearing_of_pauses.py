"""Has queues look at once whether they are paused, where the ledger tells of an operator who steered them.

The broker says whether they are; the ledger only says when to ask, and who it was.
"""

import logging
from collections.abc import Mapping, Sequence

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import Acted
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.ledger import Applied, Ledger
from gateway.leasing.course_queue import CourseQueue

log = logging.getLogger(__name__)


def hear_of_pauses(ledger: Ledger, queues: Mapping[str, CourseQueue]) -> Applied:
    """Make what is called with each frame of the ledger."""

    def applied(frame: Frame, _: Sequence[Outcome]) -> None:
        events = frame.events
        if not events or not isinstance(events[0], Acted):  # they stand in frames of their own
            return
        if ledger.problem:
            return  # of what was before this gateway: its queues look anyhow
        for event in events:
            if isinstance(event, Acted) and (queue := queues.get(event.queue)):
                _tell(event)
                queue.steered()

    return applied


def _tell(event: Acted) -> None:
    why = f": {event.reason}" if event.reason else ""
    about = {"queue": event.queue, "by": event.by, "reason": event.reason}
    log.info("queue %s: %s by %s%s", event.queue, event.act, event.by, why, extra=about)
