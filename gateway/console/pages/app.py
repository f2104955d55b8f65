"""The console's paths, in one place: who may come in, and which of them may act."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from broker_setup.operator.trace.console_words import PATH
from gateway.console.known.known import Known
from gateway.console.pages.acting import ActingPages, SessionPages
from gateway.console.pages.forms import BadFieldsError, Fields, fields_of, first
from gateway.console.pages.jobs import Jobs
from gateway.console.pages.lms_page import LmsPage
from gateway.console.pages.looking import LookingPages
from gateway.console.pages.pausing_page import PausingPage
from gateway.console.pages.people import People, Visitor
from gateway.console.pages.rendering import HEADERS, Rendering
from gateway.console.pages.trace_call import TraceCall
from gateway.http.forms import TooLargeError

Page = Callable[[Request, Visitor], Awaitable[Response]]
Act = Callable[[Request, Visitor, Fields], Awaitable[Response]]


def application(known: Known, people: People, jobs: Jobs) -> Starlette:
    """Lay out the paths."""
    rendering = Rendering()
    looking, acting = LookingPages(known, rendering), ActingPages(known, jobs, rendering)
    session, doors = SessionPages(people, rendering), _Doors(people, rendering)

    async def healthz(_: Request) -> Response:
        """Say that the process serves."""
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        """Say whether what is shown is up to date, and if not, why."""
        problem = known.following.problem
        status, problems = ("not ready", [problem]) if problem else ("ready", [])
        return JSONResponse({"status": status, "problems": problems}, status_code=503 if problem else 200)

    see = doors.seen_by(session)
    do, leave = doors.done_by(session, operators=True), doors.done_by(session, operators=False)
    pausing = PausingPage(known.settings, rendering)
    routes = [
        Route("/", see(looking.queues)),
        Route("/search", see(looking.search)),
        Route("/submission/{uuid}", see(looking.submission)),
        Route("/lms", see(LmsPage(known, rendering).lms)),
        Route("/graders", see(looking.graders)),
        Route("/parked", see(acting.parked)),
        Route("/parked/jobs", do(acting.begin), methods=["POST"]),
        Route("/parked/jobs/{job}", see(acting.job)),
        Route("/parked/jobs/{job}", do(acting.carry_out), methods=["POST"]),
        Route("/pause", do(pausing.pause), methods=["POST"]),
        Route("/resume", do(pausing.resume), methods=["POST"]),
        Route("/login", session.login, methods=["GET", "POST"]),
        Route("/logout", leave(session.logout), methods=["POST"]),
        Route(PATH, TraceCall(known).trace, methods=["POST"]),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Mount("/static", _Static(directory=Path(__file__).with_name("static"))),
    ]

    async def unreadable(request: Request, _: Exception) -> Response:
        return rendering.message(request, None, 400, "Not understood", "This form can't be read.")

    async def not_found(request: Request, _: Exception) -> Response:
        return rendering.message(request, people.visitor(request), 404, "Not found", "There is no such page.")

    return Starlette(
        routes=routes, exception_handlers={404: not_found, BadFieldsError: unreadable, TooLargeError: unreadable}
    )


class _Doors:
    """Lets only those in who have logged in, and only operators act, by forms of our own pages."""

    def __init__(self, people: People, rendering: Rendering) -> None:
        self._people = people
        self._rendering = rendering

    def seen_by(self, session: SessionPages) -> Callable[[Page], Callable[[Request], Awaitable[Response]]]:
        def see(page: Page) -> Callable[[Request], Awaitable[Response]]:
            async def endpoint(request: Request) -> Response:
                visitor = self._people.visitor(request)
                if visitor is None:
                    return session.to_login(request)
                answer = await page(request, visitor)
                self._people.renew(request, answer)
                return answer

            return endpoint

        return see

    def done_by(
        self, session: SessionPages, *, operators: bool
    ) -> Callable[[Act], Callable[[Request], Awaitable[Response]]]:
        def do(act: Act) -> Callable[[Request], Awaitable[Response]]:
            async def endpoint(request: Request) -> Response:
                visitor = self._people.visitor(request)
                if visitor is None:
                    return session.to_login(request)
                fields = await fields_of(request)
                if self._people.is_foreign(request) or not self._people.is_their_form(
                    visitor, first(fields, "form_token")
                ):
                    text = "This form comes from no page that was made for you: go back, look again, and send it anew."
                    return self._rendering.message(request, visitor, 403, "Not taken", text)
                if operators and not visitor.acts:
                    text = "Your account looks, and does not act: operators do (CONSOLE_ROLES)."
                    return self._rendering.message(request, visitor, 403, "Not for you", text)
                return await act(request, visitor, fields)

            return endpoint

        return do


class _Static(StaticFiles):
    """Files of ours, which browsers may keep for an hour."""

    def file_response(self, *args: object, **options: object) -> Response:
        answer = super().file_response(*args, **options)  # type: ignore[arg-type]
        answer.headers.update({**HEADERS, "cache-control": "max-age=3600"})
        return answer
