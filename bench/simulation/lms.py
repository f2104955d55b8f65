"""LMSs as they are met: what they answer to a callback at a moment, and after how long."""

from collections.abc import Callable

from callback_relay.job import Job
from callback_relay.outcome import Answered, NoAnswer, Outcome
from callback_relay.reason import Reason, Slug

# What an LMS says to a job at a moment (seconds), and how long it takes to say so.
Reply = tuple[Outcome, float]
LMS = Callable[[Job, float], Reply]

QUICK = 0.05
TIMEOUT = 5.0

NO_CONNECTION = NoAnswer(Reason(Slug.NO_CONNECTION, "connection refused"))
NO_ANSWER = NoAnswer(Reason(Slug.TIMEOUT, f"no answer within {TIMEOUT:g} s"))
# Each way in which a whole site fails, with how long an answer takes.
OUTAGES: dict[str, Reply] = {
    **{str(status): (Answered(status), QUICK) for status in (500, 502, 503, 404, 401, 403, 302, 413)},
    "no connection": (NO_CONNECTION, 0.001),
    "timeout": (NO_ANSWER, TIMEOUT),
}

WELL: Reply = (Answered(200), QUICK)
# Each way in which one LMS could be a burden to another.
SICK: dict[str, Reply] = {
    "slow": (Answered(200), 5.0),
    "hanging": OUTAGES["timeout"],
    "down": OUTAGES["no connection"],
}


def is_broken(job: Job) -> bool:
    """Whether a job is of the problem that this course's LMS has deleted."""
    return "broken" in job.url


def well(_: Job, __: float) -> Reply:
    """Take all."""
    return WELL


def with_a_broken_problem(job: Job, _: float) -> Reply:
    """Answer 500 to each result of one problem."""
    return (Answered(500), QUICK) if is_broken(job) else WELL


def always(reply: Reply) -> LMS:
    """Say `reply` to everything."""
    return lambda _, __: reply


def away(reply: Reply, since: float, until: float, otherwise: LMS = well) -> LMS:
    """Say `reply` to everything for a while."""
    return lambda job, now: reply if since <= now < until else otherwise(job, now)
