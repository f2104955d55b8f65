"""Has queues do at once what an operator wants of them, where the ledger tells of one who steered them.

Whether a queue is paused the broker says; the ledger only says when to ask, and who it was. To have all that is held
back for an export costs no lease: it stands in the ledger, and whoever gets its delivery next keeps that.
"""

import logging
from collections.abc import Mapping, Sequence

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import Act, Acted
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
                if event.act == Act.EXPORTED:
                    queue.hand_back()
                else:
                    queue.steered()

    return applied


def _tell(event: Acted) -> None:
    why = f": {event.reason}" if event.reason else ""
    about = {"queue": event.queue, "by": event.by, "reason": event.reason}
    log.info("queue %s: %s by %s%s", event.queue, event.act, event.by, why, extra=about)
