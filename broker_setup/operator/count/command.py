"""`count`: how much waits, is being graded, or is on its way back, queue by queue."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from time import time
from typing import Annotated, Any

import typer
from rich.table import Table

from broker_setup.link.blocking import look_at
from broker_setup.operator.backlog import Backlog
from broker_setup.operator.between_queues import between_queues
from broker_setup.operator.console import (
    AsJson,
    add_row,
    no_such_queue,
    settings_of,
    show_table,
    span,
    warn_of_no_queue,
)
from broker_setup.operator.pauses import as_dict, in_words, pauses_of, taken_all_the_same
from broker_setup.operator.read_ledger import read_ledger
from broker_setup.topology import (
    CHECKED_QUEUE,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    SUBMISSIONS_PARKED,
    paused_queue,
    submissions_queue,
)
from broker_setup.wire.pauses import Pause


@dataclass(frozen=True)
class QueueCount:
    """One course queue: numbers of submissions, age of the oldest that waits, in seconds, its pause, its consumers."""

    queue: str
    waiting: int
    leased: int
    parked: int
    oldest_waiting: float | None
    paused: Mapping[str, Any] | None
    consumers: int


def count(
    queues: Annotated[
        list[str] | None, typer.Argument(metavar="QUEUES", help="These queues alone.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count what waits, is leased and is parked in each queue, and the results on their way.

    What waits is the broker's count, without superseded submissions and without what a gateway holds for a poll at
    this moment. Leases, parked ones by queue and the age of the oldest come from the last LEDGER_WINDOW of the ledger:
    what was submitted before that has no age here. What RabbitMQ has taken out of one queue and not stored in the
    next yet, such as a result whose rung is over, only its management API counts (MANAGEMENT_URL).
    """
    settings = settings_of()
    warn_of_no_queue(settings)
    counted_queues = set(queues or settings.xqueues)
    for queue in counted_queues - settings.xqueues.keys():
        raise no_such_queue(queue, settings)
    url = settings.amqp_url.get_secret_value()
    backlog = Backlog()
    read_ledger(url, backlog.take, since=datetime.now(UTC) - timedelta(seconds=settings.ledger_window))
    seen = look_at(
        url,
        [
            *map(submissions_queue, counted_queues),
            SUBMISSIONS_PARKED,
            RESULTS_QUEUE,
            CHECKED_QUEUE,
            *settings.rungs,
            RESULTS_PARKED,
            *settings.notice_queues,
        ],
        if_there=(*settings.former_rungs, *map(paused_queue, counted_queues)),
    )
    ready = {queue: number for queue, (number, _) in seen.items()}
    rungs = [rung for rung in (*settings.rungs, *settings.former_rungs) if rung in ready]
    between = between_queues(settings, ready)
    paused = [queue for queue in counted_queues if ready.get(paused_queue(queue))]
    pauses = asyncio.run(pauses_of(settings, paused)) if paused else {}
    consumers = {queue: seen[submissions_queue(queue)][1] for queue in counted_queues}
    counts = _by_queue(consumers, backlog, ready, pauses)
    parked = ready[SUBMISSIONS_PARKED]
    to_tell = sum(ready[queue] for queue in settings.notice_queues) + between.of(settings.notice_queues)
    results = {
        "waiting": ready[RESULTS_QUEUE] + ready[CHECKED_QUEUE],
        "retrying": sum(ready[rung] for rung in rungs) + between.of(rungs),
        "parked": ready[RESULTS_PARKED],
    }
    held = between.held_of([RESULTS_QUEUE, CHECKED_QUEUE])
    if as_json:
        counted: dict[str, Any] = {"parked": parked, "results": results, "students_to_be_told": to_tell}
        counted |= {"results_held": held}
        counted |= {"between_queues": between.known}
        print(json.dumps({"queues": [asdict(each) for each in counts], **counted}))
    else:
        _print(counts)
        for queue, pause in pauses.items():
            print(in_words(pause))
            if taken := taken_all_the_same(consumers[queue], pause.since.timestamp(), time()):
                print(f"  {taken} (docs/howto/pause.md)")
        print(f"parked submissions: {parked}")
        print(f"results: {', '.join(f'{number} {what}' for what, number in results.items())}; {_held(held)}")
        print(f"students to be told of what is parked: {to_tell}")
        print(f"on the way from one queue to the next: {between}")


def _held(number: int | None) -> str:
    # Of a sick LMS some stay there as long as it is sick: none waiting is not all delivered.
    return "not known how many the relay holds" if number is None else f"{number} more held by the relay"


def _by_queue(
    consumers: Mapping[str, int], backlog: Backlog, ready: Mapping[str, int], pauses: Mapping[str, Pause]
) -> list[QueueCount]:
    now = datetime.now(UTC).timestamp()
    leased, oldest, parked = backlog.leased(now), backlog.oldest(now), backlog.parked()
    counts = []
    for queue in sorted(consumers):
        waiting = backlog.waiting(queue, ready[submissions_queue(queue)], now)
        since = oldest.get(queue) if waiting else None
        age = None if since is None else round(max(0.0, now - since), 3)
        paused = as_dict(pauses[queue]) if queue in pauses else None
        numbers = waiting, leased.get(queue, 0), parked.get(queue, 0)
        counts.append(QueueCount(queue, *numbers, age, paused, consumers[queue]))
    return counts


def _print(queues: Iterable[QueueCount]) -> None:
    table = Table("queue", "waiting", "leased", "parked", "oldest waiting")
    for each in queues:
        age = "" if each.oldest_waiting is None else span(each.oldest_waiting)
        add_row(table, each.queue, str(each.waiting), str(each.leased), str(each.parked), age)
    show_table(table)
