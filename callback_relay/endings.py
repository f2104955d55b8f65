"""What the log tells of how deliveries end, and how loud."""

import logging

from broker_setup.amqp.messages import Arrival
from broker_setup.wire.results import NO_TRIES
from callback_relay.job import Job
from callback_relay.reason import Slug
from callback_relay.verdict import Delivered, GiveBack, HandOver, Outdated, Park, Repeat, Retry, Verdict

log = logging.getLogger(__name__)

# What an LMS answers has a part in it.
MAX_REASON = 500


def level_of(job: Job, verdict: Verdict) -> int:
    """Return how loud the log tells of what was not posted: of who waits behind another once, of all else in detail.

    Of repeats that graders may send by the thousand it tells in sum (announcing.py).
    """
    if isinstance(verdict, Repeat):
        return logging.DEBUG if job.unread else logging.INFO
    waits = isinstance(verdict, Retry) and verdict.reason.slug == Slug.BEHIND
    return logging.INFO if waits and job.tries == NO_TRIES and not job.comes_back else logging.DEBUG


def level_of_try(verdict: Retry) -> int:
    """Return how loud the log tells of what failed: of what failed for want of something here, it is said for all."""
    return logging.DEBUG if verdict.reason.slug == Slug.OURS else logging.INFO


def tell(message: Arrival, verdict: Verdict, origin: str, queue: str, level: int) -> None:
    """Log how a delivery ended, with nothing of the reply and no path of the URL; `level` is that of another try."""
    submission = message.correlation_id
    about = {"uuid": submission or "", "queue": queue, "origin": origin}
    match verdict:
        case Delivered():
            log.info("submission %s: delivered to %s", submission, origin, extra=about)
        case Repeat():
            log.log(level, "submission %s: repeat, delivered to %s before", submission, origin, extra=about)
        case HandOver(run):
            log.info("submission %s: a copy: no LMS gets its result, regrade %s does", submission, run, extra=about)
        case Retry(delay, tries, reason):
            words = "submission %s: %s: %.500s; try %d in %g s"
            log.log(level, words, submission, origin, reason, tries.made + 1, delay, extra=about | because(reason))
        case Outdated(reason):
            log.info("submission %s: %s: given up: %.500s", submission, origin, reason, extra=about | because(reason))
        case Park(reason):
            log.warning("submission %s: %s: parked: %.500s", submission, origin, reason, extra=about | because(reason))
        case GiveBack(reason):
            words = "submission %s: %s: back to the queue: %.500s"
            log.warning(words, submission, origin, reason, extra=about | because(reason))


def because(reason: object) -> dict[str, str]:
    """Make of a reason what a line is about."""
    return {"reason": str(reason)[:MAX_REASON]}
