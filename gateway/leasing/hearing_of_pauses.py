"""Has queues look at once whether they are paused, where the ledger tells of an operator who steered them.

The broker says whether they are; the ledger only says when to ask.
"""

from collections.abc import Mapping, Sequence

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import Acted
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.ledger import Applied
from gateway.leasing.course_queue import CourseQueue


def hear_of_pauses(queues: Mapping[str, CourseQueue]) -> Applied:
    """Make what is called with each frame of the ledger."""

    def applied(frame: Frame, _: Sequence[Outcome]) -> None:
        events = frame.events
        if not events or not isinstance(events[0], Acted):  # they stand in frames of their own
            return
        for event in events:
            if isinstance(event, Acted) and (queue := queues.get(event.queue)):
                queue.steered()

    return applied
