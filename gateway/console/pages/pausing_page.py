"""Pausing a queue and letting it go on, by a form of the queues' page."""

from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from broker_setup.errors import BrokerUnavailableError, UnroutableError
from broker_setup.operator.pause.pausing import pause_queue, resume_queue
from broker_setup.settings import Settings
from broker_setup.wire.pauses import MAX_REASON, Pause
from gateway.console.pages.forms import Fields, first
from gateway.console.pages.people import Visitor
from gateway.console.pages.rendering import Rendering

# How long a pause may be chosen to last, in hours; "" is until it is resumed.
HOURS = {"": None, "1": 1, "4": 4, "24": 24}


class PausingPage:
    """Pauses and resumes."""

    def __init__(self, settings: Settings, rendering: Rendering) -> None:
        self._settings = settings
        self._rendering = rendering

    async def pause(self, request: Request, visitor: Visitor, fields: Fields) -> Response:
        """Pause a queue."""
        queue, reason = first(fields, "queue"), first(fields, "reason").strip()[:MAX_REASON]
        hours = HOURS.get(first(fields, "hours"))
        if not self._may(visitor, queue) or not reason:
            text = "Choose a queue, and say why, for whoever looks."
            return self._rendering.message(request, visitor, 400, "Not paused", text)
        now = datetime.now(UTC)
        until = now + timedelta(hours=hours) if hours else None
        try:
            untold = await pause_queue(self._settings, Pause(queue, reason, visitor.signature, now, until))
        except (BrokerUnavailableError, UnroutableError) as error:
            return self._rendering.message(request, visitor, 503, "Not paused", f"{error}.")
        return self._done(request, visitor, "Paused", untold)

    async def resume(self, request: Request, visitor: Visitor, fields: Fields) -> Response:
        """Let a queue go on."""
        queue = first(fields, "queue")
        if not self._may(visitor, queue):
            return self._rendering.message(request, visitor, 400, "Not resumed", "You see no such queue.")
        try:
            was_paused, untold = await resume_queue(self._settings, queue, by=visitor.signature)
        except BrokerUnavailableError as error:
            return self._rendering.message(request, visitor, 503, "Not resumed", f"{error}.")
        if not was_paused:
            return self._rendering.message(request, visitor, 200, "Nothing to resume", "It is not paused any more.")
        return self._done(request, visitor, "Resumed", untold)

    def _done(self, request: Request, visitor: Visitor, title: str, untold: str) -> Response:
        if untold:
            text = f"It is done, and within seconds all see it. The ledger does not tell of it: {untold}."
            return self._rendering.message(request, visitor, 200, title, text)
        return RedirectResponse("/", 303)

    def _may(self, visitor: Visitor, queue: str) -> bool:
        return queue in self._settings.xqueues and visitor.sees(queue)
