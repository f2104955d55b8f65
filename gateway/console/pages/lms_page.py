"""The page of the LMSs: how each fares, what waits for it and when it is tried next."""

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from broker_setup.errors import BadCallbackUrlError
from broker_setup.outbound.callback_urls import callback_url, origin_of
from gateway.console.known.known import Known
from gateway.console.known.rungs import Rungs
from gateway.console.known.standings import NAMES, State
from gateway.console.known.wanted import Wanted
from gateway.console.pages.people import Visitor
from gateway.console.pages.rendering import Rendering

# Of the LMSs that took something lately this many results are looked at.
LOOKED_AT = 2_000


@dataclass
class OriginLine:
    """An LMS as its page has it."""

    origin: str
    health: str | None = None
    waiting: int = 0
    next_at: float | None = None
    reasons: set[str] = field(default_factory=set)
    delivered_at: float | None = None
    parked: int = 0
    is_quiet: bool = False  # it has taken what there was, and the relay has forgotten how it fares


class LmsPage:
    """Shows LMSs."""

    def __init__(self, known: Known, rendering: Rendering) -> None:
        self._known = known
        self._rendering = rendering

    async def lms(self, request: Request, visitor: Visitor) -> Response:
        """Show how each LMS fares."""
        rungs, health = await self._known.rungs.seen(), await self._known.relay.health()
        lines = await asyncio.to_thread(self._origins, visitor, rungs)
        is_all = not (rungs.problem or rungs.unseen or rungs.at_once)
        for line in lines:
            line.health = (health or {}).get(line.origin)
            line.is_quiet = is_all and not line.waiting and line.delivered_at is not None
        return self._rendering.page(
            request,
            "lms.html",
            visitor,
            problem=self._known.following.problem,
            rungs=rungs,
            is_told=health is not None,
            origins=lines,
        )

    def _origins(self, visitor: Visitor, rungs: Rungs) -> list[OriginLine]:
        lines: dict[str, OriginLine] = {}

        def line_of(origin: str) -> OriginLine:
            return lines.setdefault(origin, OriginLine(origin))

        for result in rungs.results.values():
            if not visitor.sees(result.wait.queue):
                continue
            line = line_of(result.wait.origin)
            line.waiting += 1
            line.reasons.add(result.wait.reason)
            if result.wait.until:
                at = result.wait.until.timestamp()
                line.next_at = at if line.next_at is None else min(line.next_at, at)
        index = self._known.index
        for found in index.search(Wanted(states=NAMES["delivered"]), visitor.queues, LOOKED_AT):
            line = line_of(lms_of(found.url))
            line.delivered_at = max(line.delivered_at or 0.0, found.changed_at)
        undelivered = Wanted(states=frozenset({State.UNDELIVERED}))
        for found in index.search(undelivered, visitor.queues, LOOKED_AT):
            line_of(lms_of(found.url)).parked += 1
        lines.pop("", None)
        return sorted(lines.values(), key=lambda line: (-line.waiting, line.origin))


def lms_of(url: str) -> str:
    """Return the LMS of a callback URL as the relay names it; "" where there is none."""
    try:
        return origin_of(callback_url(url))
    except BadCallbackUrlError:
        return ""
