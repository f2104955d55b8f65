"""In which dialect a caller is answered: the original's, or that of edx-submissions, with HTTP statuses and JSON."""

import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from broker_setup.settings.access_settings import Dialect
from gateway.callers.door import NotLoggedInError, account_of
from gateway.callers.origin import came_over_tls
from gateway.http.envelope import EnvelopeResponse, refusal
from gateway.http.refusals import LoginRequiredError, headers_of, status_of, text_of

LOGIN_PATH = "/xqueue/login/"
JSON = "application/json"
# The media ranges of Accept that take text/html, which the original's answers say they are.
_HTML_RANGES = frozenset({"text/html", "text/*", "*/*"})
# Characters of Accept that are looked at; browsers send 200.
LONGEST_ACCEPT = 1024
# Each client says the same with each call.
_ACCEPTS_IN_MIND = 100
# The weight 0 says "not this".
_UNWANTED = re.compile(r"(^|;)\s*q=0(\.0*)?\s*(;|$)")
# Clients of Django expect a cookie of this name; we do not look at its value.
CSRF_COOKIE = "csrftoken"
CSRF_COOKIE_SECONDS = 365 * 24 * 3600


class Dialects:
    """Puts answers and refusals into the dialect of who reads them; nothing behind it knows that there are two."""

    def __init__(self, of_caller: Mapping[str, Dialect], public_url: str | None) -> None:
        """`of_caller` has the dialect of those callers who always get the same one, whatever they accept."""
        self._of_caller = of_caller
        self._public_url = public_url

    def answer(self, request: Request, answer: Response) -> Response:
        """Put an answer that is ready into the caller's dialect."""
        return translated(answer, self._of(request)) if isinstance(answer, EnvelopeResponse) else answer

    def refuse(self, request: Request, error: Exception) -> Response:
        """Answer with one of REFUSED."""
        dialect = self._of(request)
        if isinstance(error, NotLoggedInError) and dialect is Dialect.LEGACY:
            back = quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
            return RedirectResponse(f"{LOGIN_PATH}?next={back}", status_code=status_of(error, dialect))
        answer = refusal(text_of(error), status_of(error, dialect), headers_of(error, dialect))
        if isinstance(error, LoginRequiredError) and dialect is not Dialect.LEGACY:
            secure = came_over_tls(request, self._public_url)
            value = secrets.token_hex(16)
            answer.set_cookie(CSRF_COOKIE, value, max_age=CSRF_COOKIE_SECONDS, samesite="lax", secure=secure)
        return self.answer(request, answer)

    def _of(self, request: Request) -> Dialect:
        return self._of_caller.get(account_of(request)) or asked_for(request.headers)


def translated(answer: EnvelopeResponse, dialect: Dialect) -> EnvelopeResponse:
    """Put an answer into a dialect, but for its status, which it has already."""
    if dialect is not Dialect.LEGACY:
        answer.headers["content-type"] = JSON
    return answer


def asked_for(headers: Headers) -> Dialect:
    """Read Accept: JSON, with nothing that covers HTML, asks for the dialect of edx-submissions.

    So a client's default that lists everything, such as `application/json, text/plain, */*`, changes nothing.
    """
    return _wanted(",".join(headers.getlist("accept"))[:LONGEST_ACCEPT].lower())


@lru_cache(_ACCEPTS_IN_MIND)
def _wanted(said: str) -> Dialect:
    ranges = [each.partition(";") for each in said.split(",")]
    accepted = {name.strip() for name, _, parameters in ranges if not _UNWANTED.search(parameters)}
    return Dialect.EDX_SUBMISSIONS if JSON in accepted and not accepted & _HTML_RANGES else Dialect.LEGACY
