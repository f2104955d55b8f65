"""What the archive's commands print: how much there is of each queue, and single submissions."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct
from rich.table import Table

from broker_setup.archive.archive import Archive
from broker_setup.archive.entries import ArchivedResult, Kept
from broker_setup.archive.places import Part, folder_of, read_place
from broker_setup.archive.scores import score_of
from broker_setup.operator.console import add_row, iso, show_table, shown
from broker_setup.visible import visible

_LINE_ENDS = "\n\t"


class Stock(Struct):
    """What the archive has of one queue: `bytes` as they lie there; the days are those of the submits."""

    queue: str
    submissions: int = 0
    results: int = 0
    bytes: int = 0
    oldest: str | None = None
    newest: str | None = None


def stock_of(archive: Archive, queue: str) -> Stock:
    """Add up what the archive has of a queue; blocks."""
    stock = Stock(queue)
    for some in archive.store.below(folder_of(queue)):
        for key, size, _ in some:
            place = read_place(key)
            if place is None:
                continue
            stock.bytes += size
            stock.submissions += place.part is Part.SUBMISSION
            stock.results += place.part is not Part.SUBMISSION
            day = place.day.isoformat()
            stock.oldest, stock.newest = min(stock.oldest or day, day), max(stock.newest or day, day)
    return stock


def print_stock(stocks: Iterable[Stock], waiting: Mapping[str, int]) -> None:
    """Print a line for each queue, and what waits to be written."""
    table = Table("queue", "submissions", "results", "bytes", "oldest", "newest")
    for each in stocks:
        numbers = str(each.submissions), str(each.results), str(each.bytes)
        add_row(table, each.queue, *numbers, each.oldest or "", each.newest or "")
    show_table(table)
    print(f"not written yet: {', '.join(f'{number} in {queue}' for queue, number in waiting.items()) or 'nothing'}")


def as_dict(kept: Kept) -> dict[str, Any]:
    """Make one submission's JSON, all that is known of it."""
    submission = kept.submission
    return {
        "uuid": submission.uuid,
        "queue": submission.queue,
        "submitted_at": iso(submission.submitted_at),
        "callback_url": submission.url,
        "body": submission.body,
        "files": dict(submission.files),
        "results": [_result_as_dict(result) for result in kept.results],
    }


def _result_as_dict(result: ArchivedResult) -> dict[str, Any]:
    return {
        "graded_at": iso(result.graded_at),
        "reply": result.reply.decode(errors="replace"),
        "score": score_of(result).score,
        "notice": result.notice,
        "amendment": result.amendment,
        "grader": result.grader,
    }


def print_kept(kept: Kept) -> None:
    """Print one submission for a person; whatever stands in it means nothing to a terminal."""
    submission = kept.submission
    print(f"submission {submission.uuid}, {visible(submission.queue)}, submitted {shown(submission.submitted_at)}")
    print(f"callback URL: {visible(submission.url)}")
    for name, url in submission.files.items():
        print(f"file {visible(name)}: {visible(url)}")
    print(f"body: {visible(_indented(submission.body), keep=_LINE_ENDS)}")
    for result in kept.results:
        by = f" by {visible(result.grader)}" if result.grader else ""
        what = "notice" if result.notice else f"result {result.amendment}"
        reply = visible(result.reply.decode(errors="replace"), keep=_LINE_ENDS)
        print(f"{what}, {shown(result.graded_at)}{by}: {reply}")


def _indented(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
