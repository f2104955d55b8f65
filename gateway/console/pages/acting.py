"""The pages on which people act: what is parked, and the jobs that redrive or discard it; and logging in and out."""

import asyncio
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from broker_setup.ledger.events import Parked, Undeliverable
from broker_setup.operator.parked.selection import Selection, has_in_it
from broker_setup.wire.properties import is_uuid
from gateway.callers.origin import address_of
from gateway.callers.passwords import TooManyChecksError
from gateway.callers.throttle import TooManyGuessesError
from gateway.console.known.known import Known
from gateway.console.known.standings import NAMES, State
from gateway.console.known.wanted import Found, Wanted
from gateway.console.pages.forms import LOGIN_LIMITS, Fields, fields_of, first
from gateway.console.pages.jobs import Job, Jobs, Verb
from gateway.console.pages.looking import number_of
from gateway.console.pages.people import People, Visitor
from gateway.console.pages.rendering import HEADERS, Rendering
from gateway.console.pages.words import many

LISTED = 100
MAX_FILTER = 500  # characters of what is typed to filter by


class ActingPages:
    """Shows what is parked, and lets operators act on it."""

    def __init__(self, known: Known, jobs: Jobs, rendering: Rendering) -> None:
        self._known = known
        self._jobs = jobs
        self._rendering = rendering

    async def parked(self, request: Request, visitor: Visitor) -> Response:
        """List what is parked."""
        queue, reason = (request.query_params.get(name, "")[:MAX_FILTER] for name in ("queue", "reason"))
        skip = number_of(request, "skip")
        found = await asyncio.to_thread(self._listed, visitor, queue, reason, skip)
        names = [name for name in self._known.settings.xqueues if visitor.sees(name)]
        total = sum(self._known.index.count(name, state) for name in names for state in NAMES["parked"])
        return self._rendering.page(
            request,
            "parked.html",
            visitor,
            problem=self._known.following.problem,
            found=found[:LISTED],
            more=len(found) > LISTED,
            skip=skip,
            queue=queue,
            reason=reason,
            queues=names,
            total=total,
            jobs=self._jobs.all_of(visitor)[:5],
        )

    async def begin(self, request: Request, visitor: Visitor, fields: Fields) -> Response:
        """Count what would be done."""
        verb = Verb(first(fields, "verb")) if first(fields, "verb") in set(Verb) else None
        if verb is None:
            return self._rendering.message(request, visitor, 400, "Not understood", "Say what is to be done.")
        uuids = frozenset(uuid for uuid in fields.get("uuid", ()) if is_uuid(uuid))
        queue, reason = first(fields, "queue")[:MAX_FILTER], first(fields, "reason")[:MAX_FILTER]
        if first(fields, "which") == "all":
            selection = Selection(queue=queue or None, reason=reason or None, queues=visitor.queues)
            about = " ".join(filter(None, ("all", queue and f"of {queue}", reason and f"with “{reason}”")))
        elif uuids:
            selection = Selection(correlation_ids=uuids, queues=visitor.queues)
            about = many(len(uuids), "submission")
        else:
            return self._rendering.message(
                request, visitor, 400, "Nothing is ticked", "Tick what you mean, or choose all that match."
            )
        told = bool(first(fields, "although_told"))
        because = first(fields, "because")[:200] or "discarded in the console"
        job = self._jobs.begin(visitor, verb, selection, about, because, although_told=told)
        if job is None:
            return self._busy(request, visitor)
        return RedirectResponse(f"/parked/jobs/{job.id}", 303)

    async def job(self, request: Request, visitor: Visitor) -> Response:
        """Show how far a job is."""
        job = self._job_of(request, visitor)
        if job is None:
            return self._rendering.message(request, visitor, 404, "Not known", "You have begun nothing by that name.")
        return self._rendering.page(request, "job.html", visitor, job=job, groups=list(job.tally.groups().items())[:50])

    async def carry_out(self, request: Request, visitor: Visitor, _: Fields) -> Response:
        """Do what was counted."""
        job = self._job_of(request, visitor)
        if job is not None:
            if not self._jobs.carry_out(job):
                return self._busy(request, visitor)
            await self._known.rungs.forget()
        return RedirectResponse(request.url.path, 303)

    def _busy(self, request: Request, visitor: Visitor) -> Response:
        text = "Some of what you have begun is under way: wait for its end, and do this then."
        return self._rendering.message(request, visitor, 429, "One after the other", text)

    def _job_of(self, request: Request, visitor: Visitor) -> Job | None:
        return self._jobs.of(request.path_params["job"], visitor)

    def _listed(self, visitor: Visitor, queue: str, reason: str, skip: int) -> list[tuple[Found, str]]:
        wanted = Wanted(queue=queue or None, states=NAMES["parked"])
        listed: list[tuple[Found, str]] = []
        for found in self._known.index.each(wanted, visitor.queues):
            why = self._why(found) if reason or len(listed) >= skip else ""
            if not reason or has_in_it(why, reason):
                listed.append((found, why))
            if len(listed) > skip + LISTED:
                break
        return listed[skip:]

    def _why(self, found: Found) -> str:
        timeline = self._known.index.timeline(found.uuid)
        kind = Parked if found.state is State.PARKED else Undeliverable
        events = [step.event for step in timeline.steps if isinstance(step.event, kind)] if timeline else []
        return events[-1].reason if events else ""


class SessionPages:
    """Logs people in and out."""

    def __init__(self, people: People, rendering: Rendering) -> None:
        self._people = people
        self._rendering = rendering

    async def login(self, request: Request) -> Response:
        """Ask for name and password, or look at them."""
        goes_to = request.query_params.get("next", "/")
        if request.method != "POST":
            return self._ask(request, goes_to)
        fields = await fields_of(request, LOGIN_LIMITS)
        goes_to = first(fields, "next") or "/"
        if self._people.is_foreign(request):
            return self._ask(request, goes_to, "This login comes from a page of another site.", 403)
        name, password = first(fields, "username"), first(fields, "password")
        try:
            is_right = await self._people.accounts.password_is_right(name, password, address_of(request))
        except (TooManyGuessesError, TooManyChecksError) as error:
            return self._ask(request, goes_to, f"{error}.", 429)
        if not is_right:
            return self._ask(request, goes_to, "This name and this password do not belong together.", 401)
        # To a page of ours alone: "//elsewhere" is a host.
        local = goes_to.startswith("/") and not goes_to.startswith(("//", "/\\"))
        answer = RedirectResponse(goes_to if local else "/", 303, headers=HEADERS)
        self._people.sessions.open(request, answer, name)
        return answer

    async def logout(self, request: Request, _visitor: Visitor, _fields: Fields) -> Response:
        """End the session."""
        answer = RedirectResponse("/login", 303, headers=HEADERS)
        self._people.sessions.close(request, answer)
        return answer

    def to_login(self, request: Request) -> Response:
        """Send somebody to the login, and back afterwards."""
        goes_to = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?{urlencode({'next': goes_to})}", 303, headers=HEADERS)

    def _ask(self, request: Request, goes_to: str, refused: str = "", status: int = 200) -> Response:
        said = {"next": goes_to[:500], "refused": refused}
        return self._rendering.page(request, "login.html", None, status=status, **said)
