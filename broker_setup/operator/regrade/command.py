"""`regrade`: archived submissions go through a grader again, and their old scores stand beside the new ones."""

import asyncio
import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from broker_setup.archive.archive import Archive
from broker_setup.archive.scores import Score, score_of
from broker_setup.archive.where import student_of
from broker_setup.errors import ArgumentError
from broker_setup.link.blocking import look_at
from broker_setup.operator.carrying_out import agreed, carry_out
from broker_setup.operator.console import AsJson, no_such_queue, progress, settings_of, shown
from broker_setup.operator.from_archive import (
    NEEDED,
    Since,
    Until,
    Where,
    archive_of,
    meant_by,
    selected,
    warn_of_unreadable,
)
from broker_setup.operator.regrade.comparison import COLUMNS, Row, as_dict, cells_of, summary_of
from broker_setup.operator.regrade.plan import Archived, Found, RegradePlan, new_run, run_named
from broker_setup.operator.regrade.regrading import NoAnswerError, Regrading
from broker_setup.operator.regrade.views import print_comparison
from broker_setup.settings import Settings
from broker_setup.topology import REGRADED_QUEUE, paused_queue, submissions_queue
from broker_setup.visible import numbered

READ_AT_ONCE = 16


def regrade(
    queue: Annotated[str, typer.Argument(help="The queue, as the LMS names it.", show_default=False)],
    *,
    since: Since = None,
    until: Until = None,
    where: Where = None,
    to: Annotated[
        str | None, typer.Option(help="Have copies graded in this queue; without, in their own.", show_default=False)
    ] = None,
    run: Annotated[
        str | None,
        typer.Option(help="Go on with the regrade of this name, or give a new one that.", show_default=False),
    ] = None,
    at_once: Annotated[int, typer.Option(min=1, max=1000, help="Copies that are under way.")] = 20,
    patience: Annotated[int, typer.Option(min=1, help="Give up after so many seconds without an answer.")] = 900,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write all rows into this file.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without, say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have archived submissions graded again, and print old scores beside new ones; the LMS hears nothing of it.

    Without --yes it counts, and asks if you are at a terminal. Interrupted, nothing is lost: --run goes on with it.
    """
    settings = settings_of(require=NEEDED)
    archive = archive_of(settings)
    name = run_named(run) if run else new_run(datetime.now(UTC))
    plan = asyncio.run(Found(archive).plan(name)) if run else None
    is_new = plan is None
    if plan is None:
        target = to or queue
        if target not in settings.xqueues:
            raise no_such_queue(target, settings)
        # What comes from now on is not meant, also where another run goes on with this one.
        end = until or datetime.now(UTC).isoformat()
        plan = RegradePlan(name, meant_by(settings, queue, since, end, where), target)
    elif plan.meant.queue != queue or since or until or where or to:
        raise ArgumentError(
            f"the regrade {name} was begun of {plan.meant.queue} to {plan.to}: it goes on as it was begun, so leave "
            "out --since, --until, --where and --to"
        )
    chosen = asyncio.run(_chosen(archive, plan))
    warn_of_unreadable(archive)
    found = Found(archive).all_of(name)
    todo = [each for each in chosen if each.uuid not in found]
    not_sent: dict[str, str] = {}
    if todo:
        if not yes:
            _tell_expectation(settings, plan, chosen, len(todo), as_json=as_json)
            if not agreed(f"Have {numbered(len(todo), 'submission')} graded again in {plan.to}?", as_json=as_json):
                return
        if is_new:
            asyncio.run(Found(archive).begin(plan))
        not_sent = _regraded(settings, archive, plan, todo, at_once=at_once, patience=patience)
    rows = asyncio.run(_rows(archive, plan, chosen, not_sent))
    if csv_file:
        _write_csv(csv_file, rows)
    if as_json:
        summary = msgspec.structs.asdict(summary_of(rows))
        print(
            json.dumps({"run": name, "queue": queue, "to": plan.to, **summary, "rows": [as_dict(row) for row in rows]})
        )
    else:
        print_comparison(plan, rows, csv_file)


def _regraded(
    settings: Settings, archive: Archive, plan: RegradePlan, todo: list[Archived], *, at_once: int, patience: float
) -> dict[str, str]:
    with progress() as display:
        task = display.add_task("regrading", total=len(todo))
        regrading = Regrading(
            settings, archive, plan, at_once=at_once, patience=patience, found_one=lambda: display.advance(task)
        )

        def so_far() -> str:
            return (
                f"{sum(each.uuid in regrading.found for each in todo)} of {len(todo)} are graded; go on with "
                f"`xqueue-broker regrade {plan.meant.queue} --run {plan.run} --yes`"
            )

        try:
            carry_out(regrading.run(todo), so_far)
        except NoAnswerError as error:
            raise NoAnswerError(f"{error}: is {plan.to} graded, and not paused? {so_far()}") from None
    return regrading.not_sent


async def _chosen(archive: Archive, plan: RegradePlan) -> list[Archived]:
    chosen = []
    places = await asyncio.to_thread(archive.places, plan.meant.queue, plan.meant.since, plan.meant.until)
    async for kept in selected(archive, plan.meant):
        submission, first = kept.submission, kept.first_result
        old = score_of(first) if first else Score(note="no grader answered" if kept.results else "no result")
        url, student = submission.url, student_of(kept)
        where = places.get(submission.uuid, [])
        chosen.append(Archived(submission.uuid, where, submission.submitted_at, url, student, old))
    return sorted(chosen, key=lambda each: (each.submitted_at, each.uuid))


async def _rows(archive: Archive, plan: RegradePlan, chosen: list[Archived], not_sent: dict[str, str]) -> list[Row]:
    found = Found(archive)

    async def row(each: Archived) -> Row:
        result = await found.of(plan.run, each.uuid)
        new = score_of(result) if result else None
        if each.uuid in not_sent:
            new = Score(note=not_sent[each.uuid])
        return Row(each.uuid, each.submitted_at, each.student, each.url, each.old, new)

    rows = []
    for start in range(0, len(chosen), READ_AT_ONCE):
        rows += await asyncio.gather(*map(row, chosen[start : start + READ_AT_ONCE]))
    return rows


def _tell_expectation(
    settings: Settings, plan: RegradePlan, chosen: list[Archived], todo: int, *, as_json: bool
) -> None:
    url = settings.amqp_url.get_secret_value()
    target, paused = submissions_queue(plan.to), paused_queue(plan.to)
    seen = look_at(url, [target, REGRADED_QUEUE], if_there=[paused])
    waiting, is_paused = seen[target][0], bool(seen.get(paused, (0, 0))[0])
    if as_json:
        print(json.dumps({"submissions": len(chosen), "to_do": todo, "to": plan.to, "waiting": waiting}))
        return
    first, last = chosen[0].submitted_at, chosen[-1].submitted_at
    with_score = sum(each.old.score is not None for each in chosen)
    print(
        f"{numbered(len(chosen), 'submission')} of {plan.meant.queue}, from {shown(first)} to {shown(last)}; ", end=""
    )
    print(f"{with_score} with a score, {todo} to be graded, in {plan.to}, where {waiting} wait now")
    if is_paused:
        print(f"{plan.to} is paused: nothing of it is graded before it is resumed")


def _write_csv(path: Path, rows: list[Row]) -> None:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(map(cells_of, rows))
    except OSError as error:
        raise ArgumentError(f"--csv {path}: {error.strerror}; the run is kept, so run it again with another") from None
