"""Schedules for tests, with a clock and results of the test's own."""

from collections.abc import Callable
from itertools import count
from typing import Any

from broker_setup.wire.results import NO_TRIES, Tries
from callback_relay.job import Identity, Job
from callback_relay.ladder import Ladder
from callback_relay.orders import Order
from callback_relay.outcome import Answered
from callback_relay.reason import Reason
from callback_relay.schedule import Schedule
from callback_relay.verdict import Delivered, Patience, Retry

ROOM = 16


HIGH_WATER = 12  # three quarters


PER_ORIGIN = 4


LADDER = Ladder((1, 5, 30, 120))


PATIENCE = Patience(refusals=3, seconds=3600)


EPOCH = 1_700_000_000


HIGH = 0.99


NUMBERS = count()


ANSWERED_503 = Reason("status_503", "answered 503")


ANSWERED_404 = Reason("status_404", "answered 404")


def job(  # noqa: PLR0917 - as a test reads best
    url: str | None = None,
    origin: str = "http://lms",
    submission: str | None = None,
    amendment: int = 0,
    queue: str = "openedx",
    submitted_at: float = 0.0,
) -> Job:
    number = next(NUMBERS)
    identity = Identity(submission or f"submission {number}", amendment, 0)
    return Job(identity, url or f"{origin}/{number}", origin, queue, NO_TRIES, float(number), submitted_at)


def of_one(amendment: int = 0) -> Job:
    """A result of the one submission, which has further ones."""
    return job("http://lms/same", submission="the one", amendment=amendment)


def again(before: Job) -> Job:
    """The same result, delivered once more."""
    return Job(
        before.identity,
        before.url,
        before.origin,
        before.queue,
        before.tries,
        before.graded_at,
        before.submitted_at,
    )


def schedule_of(room: int, chance: Callable[[], float] = lambda: HIGH, **others: Any) -> Schedule[Job]:
    return Schedule(LADDER, PATIENCE, room=room, per_origin=PER_ORIGIN, chance=chance, wall=lambda: EPOCH, **others)


def retry(delay: float, reason: Reason, tries: Tries = NO_TRIES) -> Retry:
    return Retry(delay, tries, reason)


FAILED = Retry(30, Tries(3, 0, 3, 1), ANSWERED_503)


def deliver(schedule: Schedule[Job], each: Job, now: float = 0.0) -> list[Order[Job]]:
    schedule.outcome(each, Answered(200), now)
    return schedule.ended(each, Delivered(), now)


def fail(schedule: Schedule[Job], each: Job, verdict: Retry = FAILED, now: float = 0.0) -> list[Order[Job]]:
    schedule.outcome(each, Answered(503), now)
    return schedule.ended(each, verdict, now)
