"""What the log says of LMSs that are sick: why, then now and then how many wait, and when it is over; no I/O."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from broker_setup.visible import numbered
from callback_relay.outcome import NotMade
from callback_relay.pace import Health, Pace

# The first word of how many wait comes after the first, then twice as long, up to the second (seconds).
FIRST_WORD = 60.0
LATER_WORD = 900.0


class Line(NamedTuple):
    """A line of the log."""

    level: int
    text: str


@dataclass(slots=True)
class _Said:
    reasons: set[str] = field(default_factory=set)
    next_at: float = 0.0
    pause: float = FIRST_WORD


class Announcer:
    """Ask it what is to be said whenever something may have changed, and every second or so."""

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}

    def of(self, pace: Pace[Any], now: float) -> Iterator[Line]:
        """Yield what is to be said of one LMS at `now`, on the clock of the schedule."""
        said = self._said.get(pace.origin)
        if not pace.is_sick:
            if said is not None:
                del self._said[pace.origin]
                yield Line(
                    logging.WARNING,
                    f"{pace.origin} is back: {numbered(len(pace.waiting), 'result')} here go out now, {pace.away} that "
                    "wait on rungs as each rung ends (xqueue-broker results retry calls them in at once)",
                )
            return
        if said is None:
            said = self._said[pace.origin] = _Said(next_at=now + FIRST_WORD)
        reason = pace.evidence.reason
        if reason is not None and reason.slug not in said.reasons:
            said.reasons.add(reason.slug)
            yield _loudly(pace, reason.text)
        if now >= said.next_at:
            said.pause = min(2 * said.pause, LATER_WORD)
            said.next_at = now + said.pause
            probe = max(0.0, pace.trickle.due_at(is_tried=True) - now)
            yield Line(
                logging.WARNING,
                f"{pace.origin} is sick for {(now - pace.evidence.sick_since) / 60:.0f} min ({reason}): "
                f"{_waiting(pace)}; the next probe goes in {probe:.0f} s at the latest",
            )

    def of_all(self, paces: Mapping[str, Pace[Any]], now: float) -> Iterator[Line]:
        """Yield what is to be said of all, and forget those that are not among them any more."""
        for origin in self._said.keys() - paces.keys():
            del self._said[origin]
        for pace in list(paces.values()):
            if pace.is_sick or pace.origin in self._said:
                yield from self.of(pace, now)


class _OnceAMinute:
    """Counts what may come by the thousand."""

    def __init__(self) -> None:
        self._number = 0
        self._next_at = float("-inf")

    def one_more(self, now: float) -> int:
        """Return how many there were since this was said last, where it is to be said again; else 0."""
        self._number += 1
        if now < self._next_at:
            return 0
        number, self._number, self._next_at = self._number, 0, now + FIRST_WORD
        return number


class OwnTrouble:
    """Ask it what is to be said of callbacks that this machine could not make: at once, then once a minute."""

    def __init__(self) -> None:
        self._said = _OnceAMinute()

    def of(self, outcome: NotMade, now: float) -> Iterator[Line]:
        """Yield what is to be said of a callback that was not made at `now`."""
        if number := self._said.one_more(now):
            yield Line(
                logging.ERROR,
                f"{outcome.reason} ({number} of them since this was said last). That is no LMS's fault: "
                "the results wait, and go again",
            )


class Repeats:
    """Ask it what is to be said of AMQP graders' results that were delivered before: at once, then once a minute."""

    def __init__(self) -> None:
        self._said = _OnceAMinute()

    def of(self, submission: str, user: str | None, now: float) -> Iterator[Line]:
        """Yield what is to be said of a repeat that a broker user sent at `now`."""
        if number := self._said.one_more(now):
            yield Line(
                logging.INFO,
                f"submission {submission}: repeat of user {user!r}, delivered before ({number} of AMQP graders "
                "since this was said last)",
            )


def _loudly(pace: Pace[Any], reason: str) -> Line:
    if pace.health is Health.CONDITION:
        return Line(
            logging.ERROR,
            f"{pace.origin} refuses every callback: {reason}. Something before the LMS does that, and somebody has to "
            "mend it; its results wait until then, and none is parked",
        )
    return Line(
        logging.WARNING,
        f"{pace.origin} fails whatever is posted: {reason}. Its results wait; one is tried now and then",
    )


def _waiting(pace: Pace[Any]) -> str:
    return f"{numbered(pace.away, 'result')} on rungs, {len(pace.waiting)} here"
