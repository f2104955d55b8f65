"""The pages on which people look: queues, search, one submission, graders."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from time import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from broker_setup.errors import ArgumentError
from broker_setup.ledger.events import Acted
from broker_setup.operator.console import span
from broker_setup.operator.pauses import taken_all_the_same
from broker_setup.operator.trace.history import Timeline
from broker_setup.wire.properties import is_uuid
from gateway.console.known.known import Known
from gateway.console.known.query import MAX_QUERY, parse, perhaps_meant
from gateway.console.known.rungs import Rungs
from gateway.console.known.standings import NAMES, State
from gateway.console.known.wanted import Found
from gateway.console.pages.lms_page import lms_of
from gateway.console.pages.people import Visitor
from gateway.console.pages.plots import Plot, plot
from gateway.console.pages.rendering import Rendering
from gateway.console.pages.what_now import STILL_ASKS_SECONDS, Circumstances, Now, what_now
from gateway.console.pages.words import ago, many, told

LISTED = 50
PLOTTED_STEPS = 72  # six hours


@dataclass(frozen=True)
class QueueLine:
    """A queue as its page has it."""

    name: str
    waiting: int
    leased: int
    parked: int
    oldest: str
    graders: str
    is_asked: bool
    paused: Acted | None
    taken: str  # by whom, although it is paused
    submitted: Plot
    graded: Plot


class LookingPages:
    """Shows what is known."""

    def __init__(self, known: Known, rendering: Rendering) -> None:
        self._known = known
        self._rendering = rendering

    async def queues(self, request: Request, visitor: Visitor) -> Response:
        """Show each queue in a line."""
        now = time()
        names = [queue for queue in self._known.settings.xqueues if visitor.sees(queue)]
        running: dict[str, int] = defaultdict(int)
        for lease in self._known.following.ledger.state.running(now):
            running[lease.queue] += 1
        lines = [self._line(queue, running[queue], now) for queue in names]
        return self._page(request, "queues.html", visitor, queues=lines)

    async def search(self, request: Request, visitor: Visitor) -> Response:
        """Find submissions."""
        q, skip = request.query_params.get("q", "")[:MAX_QUERY].strip(), number_of(request, "skip")
        found: list[Found] = []
        refused = hint = ""
        try:
            wanted = parse(q)
        except ArgumentError as error:
            refused = str(error)
        else:
            if q:
                found = await asyncio.to_thread(self._known.index.search, wanted, visitor.queues, LISTED + 1, skip)
                if not found:
                    hint = self._no_such_queue(wanted.queue, visitor) or perhaps_meant(q)
        days = round(self._known.settings.console_window / 86400)
        more = len(found) > LISTED
        said = {"q": q, "found": found[:LISTED], "more": more, "skip": skip, "days": days}
        return self._page(request, "search.html", visitor, refused=refused, hint=hint, **said)

    def _no_such_queue(self, queue: str | None, visitor: Visitor) -> str:
        seen = sorted(filter(visitor.sees, self._known.settings.xqueues))
        return f"There is no queue {queue!r}; there are: {', '.join(seen)}" if queue and queue not in seen else ""

    async def submission(self, request: Request, visitor: Visitor) -> Response:
        """Show all of one submission."""
        uuid = request.path_params["uuid"]
        found = self._known.index.find(bytes.fromhex(uuid)) if is_uuid(uuid) else None
        timeline = self._known.index.timeline(found.uuid) if found else None
        if found is None or timeline is None or not visitor.sees(found.queue):
            return self._rendering.message(
                request, visitor, 404, "Not known", "The console knows of no such submission."
            )
        steps, before = [], None
        for step in timeline.by_time():
            after = "" if before is None else span(max(0.0, step.event.at - before))
            steps.append(
                {
                    "at": step.event.at,
                    "after": after,
                    "told": told(step.event),
                    "writer": step.writer,
                    "void": step.void,
                }
            )
            before = step.event.at
        return self._page(
            request,
            "submission.html",
            visitor,
            found=found,
            steps=steps,
            now_said=await self._now(found, timeline),
            may_act=visitor.acts and found.state in NAMES["parked"],
        )

    async def graders(self, request: Request, visitor: Visitor) -> Response:
        """Show who has taken what lately."""
        now = time()
        queues = [
            (queue, self._graders(queue, now)[0]) for queue in self._known.settings.xqueues if visitor.sees(queue)
        ]
        graders = [each for each in self._known.lately.graders() if visitor.sees(each.queue)]
        return self._page(request, "graders.html", visitor, graders=graders, queues=queues)

    def _page(self, request: Request, template: str, visitor: Visitor, **said: Any) -> Response:
        return self._rendering.page(request, template, visitor, problem=self._known.following.problem, **said)

    def _line(self, queue: str, leased: int, now: float) -> QueueLine:
        known, state = self._known, self._known.following.ledger.state
        look, oldest = known.broker.of(queue), known.index.oldest_waiting(queue)
        ready = look.ready if look.seen_at else state.expected_in(queue, now)
        graders, is_asked = self._graders(queue, now)
        paused = known.pause_of(queue, now)
        return QueueLine(
            name=queue,
            waiting=max(0, state.waiting_in(queue, ready, now)),
            leased=leased,
            parked=known.index.count(queue, State.PARKED) + known.index.count(queue, State.UNDELIVERED),
            oldest=ago(oldest, now) if oldest is not None else "",
            graders=graders,
            is_asked=is_asked,
            paused=paused,
            taken=taken_all_the_same(look.consumers, paused.at, look.seen_at) if paused and look.seen_at else "",
            submitted=plot(known.lately.steps(queue, "submitted", PLOTTED_STEPS, now), "handed in"),
            graded=plot(known.lately.steps(queue, "graded", PLOTTED_STEPS, now), "graded"),
        )

    def _graders(self, queue: str, now: float) -> tuple[str, bool]:
        look = self._known.broker.of(queue)
        if look.seen_at is None:
            return "the broker does not say", True
        if look.asked_at is not None and now - look.asked_at < STILL_ASKS_SECONDS:
            return "ask for work" if not look.consumers else f"ask for work ({many(look.consumers, 'consumer')})", True
        since = look.asked_at or look.since
        return f"nobody has asked for work for {span(now - since)}", False

    async def _now(self, found: Found, timeline: Timeline) -> Now:
        known, now = self._known, time()
        rungs, health, origin = Rungs(), None, lms_of(found.url)
        if found.state is State.GRADED:
            rungs = (await known.rungs.seen()).of(found.queue)
            health = (await known.relay.health() or {}).get(origin)
        lease = known.following.ledger.state.lease_of(found.uuid)
        state = found.state
        if state is State.LEASED and (ended := timeline.lease_ended(now)) and ended < now - 1:
            state = State.WAITING
        around = Circumstances(
            uuid=found.uuid.hex(),
            now=now,
            look=known.broker.of(found.queue),
            last_taken=known.lately.last_taken(found.queue),
            before=await asyncio.to_thread(known.index.waiting_before, found) if state is State.WAITING else 0,
            lease=lease,
            rungs=rungs,
            origin=origin,
            health=health,
            kind=known.kind_of(found.queue),
            paused=known.pause_of(found.queue, now),
        )
        return what_now(state, timeline, around)


def number_of(request: Request, name: str) -> int:
    """Return a number of the query; 0 where there is none."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0  # noqa: PLR2004
