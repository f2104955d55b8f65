"""The exchanges, queues and bindings that XQueue needs, as plain data; operator/setup/declare.py declares them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from broker_setup.delay_words import spoken, worded
from broker_setup.queue_arguments import (
    CONSUMER_TIMEOUT_MS,
    Arguments,
    ledger_stream,
    standing_word,
    waiting_queue,
    work_queue,
)

SUBMISSIONS_EXCHANGE = "xqueue.submissions"
SUBMISSIONS_FAILED = "xqueue.submissions.failed"
SUBMISSIONS_PARKED = "xqueue.submissions.parked"
RESULTS_EXCHANGE = "xqueue.results"
RESULTS_QUEUE = "xqueue.results"
CHECKED_QUEUE = "xqueue.results.checked"
RESULTS_PARKED = "xqueue.results.parked"
RUNGS = "xqueue.results.rung"
NOTICES = "xqueue.notices"
LEDGER = "xqueue.ledger"
# Copies of what passes by, for whoever writes the archive; apart, as graders may write to the results' exchange.
ARCHIVED_SUBMISSIONS = "xqueue.archive.submissions"
ARCHIVED_RESULTS = "xqueue.archive.results"
REGRADED_QUEUE = "xqueue.regraded"
# The rungs of 0.1.0, which lead to where graders write. Nothing of this version fills them; they empty by themselves.
FORMER_RUNGS = "xqueue.results.retry"

_OF_THE_ARCHIVE = {
    ARCHIVED_SUBMISSIONS: "copies of submissions, until they are in the archive",
    ARCHIVED_RESULTS: "copies of results, until those of archived queues are in the archive",
    REGRADED_QUEUE: "what graders found of copies in a regrade, until that has read it",
}

# What they all begin with.
_OURS = "xqueue."

# With these nobody publishes through the default exchange, where a right to write is one to every queue. No queue has
# the name of any: RabbitMQ's rights are to names, and who may read one and write the other could unbind the two.
LEDGER_EXCHANGE = "xqueue.frames"
RETRY_EXCHANGE = "xqueue.retry"
PARKED_EXCHANGE = "xqueue.parked"
# Results that a process of ours has looked at. Where graders write, anybody's flood would be before them.
CHECKED_EXCHANGE = "xqueue.checked"
# Apart from the results', where every AMQP grader may write: by a routing key, or in a header CC, to whatever is bound.
ANSWERS_EXCHANGE = "xqueue.answers"
PAUSED_EXCHANGE = "xqueue.paused"
# What was found of copies, in regrades.
REGRADED_EXCHANGE = "xqueue.regrades"

# Not declared with the rest: the relay that works has it, empty and exclusive, for as long as its connection lasts.
RELAY_LOCK = "xqueue.relay"

# A regrade that is under way has it, as the relay has its own.
REGRADE_LOCK = "xqueue.regrade"

# It stands there, empty, while `migrate` is under way; what that needs begins with this name.
MIGRATING = "xqueue.migrating"

# A course queue of such a name would be one of ours.
RESERVED_QUEUE_NAMES = frozenset({"failed", "parked"})


@dataclass(frozen=True)
class Exchange:
    """A durable exchange of type `kind`."""

    name: str
    kind: str = "direct"


@dataclass(frozen=True)
class Queue:
    """A durable queue; `arguments` as AMQP takes them, `purpose` for people."""

    name: str
    purpose: str
    arguments: Arguments = field(hash=False)


@dataclass(frozen=True)
class Binding:
    """What `exchange` gets under `routing_key` goes to `queue`."""

    exchange: str
    queue: str
    routing_key: str


@dataclass(frozen=True)
class Topology:
    """Everything that has to be there before a service can work."""

    exchanges: Sequence[Exchange]
    queues: Sequence[Queue]
    bindings: Sequence[Binding]


def is_ours(name: str) -> bool:
    """Say whether a queue or an exchange of that name is XQueue's own: no caller waits for an answer at one."""
    return name.startswith(_OURS)


def submissions_queue(queue: str) -> str:
    """Name the RabbitMQ queue that holds the submissions of the course queue `queue`."""
    return f"{SUBMISSIONS_EXCHANGE}.{queue}"


def paused_queue(queue: str) -> str:
    """Name the queue in which something lies while the course queue `queue` is paused."""
    return f"{PAUSED_EXCHANGE}.{queue}"


def retry_queue(delay: float) -> str:
    """Name the rung that holds a result for `delay` seconds: `xqueue.results.rung.30s`."""
    return f"{RUNGS}.{spoken(delay)}"


def former_rung(delay: float) -> str:
    """Name the rung that 0.1.0 had for it: `xqueue.results.retry.30s`."""
    return f"{FORMER_RUNGS}.{spoken(delay)}"


def notices_queue(grace: float) -> str:
    """Name the queue that holds notices for a grace of so many seconds: `xqueue.notices.24h`."""
    return f"{NOTICES}.{spoken(grace)}"


def is_notices_queue(name: str) -> bool:
    """Say whether that is the name of a queue of notices, of these settings or of earlier ones."""
    return name.startswith(f"{NOTICES}.")


def topology(
    queues: Iterable[str],
    retry_delays: Iterable[float],
    notice_graces: Iterable[float] = (),
    *,
    ledger_max_age: int = 7 * 24 * 3600,
    ledger_max_size: int = 20 * 1024**3,
    archived: Iterable[str] = (),
) -> Topology:
    """Lay out the broker for the course queues `queues`, the retry rungs `retry_delays` and `notice_graces` (seconds).

    A grace of 0 needs no queue. The ledger forgets what is older than `ledger_max_age` seconds or beyond
    `ledger_max_size` bytes. What goes to the course queues `archived`, and all results, are copied for the archive.
    """
    queues, archived = sorted(queues), sorted(archived)
    rungs = [_rung(delay) for delay in sorted(set(retry_delays))]
    notices = [_notices(grace) for grace in sorted(set(notice_graces) - {0})]
    return Topology(
        exchanges=tuple(
            Exchange(name)
            for name in (
                SUBMISSIONS_EXCHANGE,
                RESULTS_EXCHANGE,
                RETRY_EXCHANGE,
                CHECKED_EXCHANGE,
                PARKED_EXCHANGE,
                LEDGER_EXCHANGE,
                ANSWERS_EXCHANGE,
                PAUSED_EXCHANGE,
                *([REGRADED_EXCHANGE] if archived else ()),
            )
        ),
        queues=(
            *(_submissions(queue) for queue in queues),
            *(_paused(queue) for queue in queues),
            _plain(SUBMISSIONS_FAILED, "submissions that a grader rejected, on their way back or to the parked ones"),
            _plain(SUBMISSIONS_PARKED, "submissions that no grader could finish"),
            _results(RESULTS_QUEUE, "AMQP graders' results, which nobody of ours has looked at"),
            _results(CHECKED_QUEUE, "all other results on their way to the LMS"),
            *rungs,
            *notices,
            _plain(RESULTS_PARKED, "results that could not be delivered"),
            Queue(
                LEDGER,
                "what happened to each submission, in one order",
                ledger_stream(ledger_max_age, ledger_max_size),
            ),
            *(_plain(name, purpose) for name, purpose in (_OF_THE_ARCHIVE if archived else {}).items()),
        ),
        bindings=(
            *(Binding(SUBMISSIONS_EXCHANGE, submissions_queue(queue), queue) for queue in queues),
            *(Binding(PAUSED_EXCHANGE, paused_queue(queue), queue) for queue in queues),
            Binding(RESULTS_EXCHANGE, RESULTS_QUEUE, RESULTS_QUEUE),
            Binding(CHECKED_EXCHANGE, CHECKED_QUEUE, CHECKED_QUEUE),
            *(Binding(RETRY_EXCHANGE, rung.name, rung.name) for rung in rungs),
            *(Binding(PARKED_EXCHANGE, parked, parked) for parked in (SUBMISSIONS_PARKED, RESULTS_PARKED)),
            *(Binding(PARKED_EXCHANGE, each.name, each.name) for each in notices),
            Binding(LEDGER_EXCHANGE, LEDGER, LEDGER),
            *(_for_the_archive(archived) if archived else ()),
        ),
    )


def _for_the_archive(archived: Sequence[str]) -> Iterable[Binding]:
    return (
        *(Binding(SUBMISSIONS_EXCHANGE, ARCHIVED_SUBMISSIONS, queue) for queue in archived),
        Binding(RESULTS_EXCHANGE, ARCHIVED_RESULTS, RESULTS_QUEUE),
        Binding(CHECKED_EXCHANGE, ARCHIVED_RESULTS, CHECKED_QUEUE),
        Binding(REGRADED_EXCHANGE, REGRADED_QUEUE, REGRADED_QUEUE),
    )


def _submissions(queue: str) -> Queue:
    return Queue(
        submissions_queue(queue),
        f"submissions of {queue} that wait for a grader",
        work_queue(dead_letters_to=("", SUBMISSIONS_FAILED), consumer_timeout_ms=CONSUMER_TIMEOUT_MS),
    )


def _paused(queue: str) -> Queue:
    return Queue(
        paused_queue(queue),
        f"{queue} is paused while something lies here: who paused it, why and until when",
        standing_word(),
    )


def _results(name: str, purpose: str) -> Queue:
    return Queue(name, purpose, work_queue(dead_letters_to=("", RESULTS_PARKED)))


def _rung(delay: float) -> Queue:
    # One queue per delay: a per-message TTL would wait behind the head. Straight back to the results, never to the
    # next rung: a cycle of expiries without a reject is dropped silently.
    return Queue(
        retry_queue(delay),
        f"results that are tried again {worded(delay)} after a failed callback",
        waiting_queue(dead_letters_to=(CHECKED_EXCHANGE, CHECKED_QUEUE), message_ttl=delay),
    )


def _notices(grace: float) -> Queue:
    return Queue(
        notices_queue(grace),
        f"students to be told: notices that go out {worded(grace)} after the parking, unless an operator is quicker",
        # Each redrive and discard takes them out and puts them back.
        work_queue(dead_letters_to=(CHECKED_EXCHANGE, CHECKED_QUEUE), message_ttl=grace),
    )


def _plain(name: str, purpose: str) -> Queue:
    return Queue(name, purpose, work_queue())
