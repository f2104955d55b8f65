"""login/, logout/ and status/."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.accounts import SESSION_SECONDS, Accounts
from gateway.http.envelope import success
from gateway.http.forms import BadFormError, FormLimits, TooLargeError, read_form
from gateway.http.identity import SESSION_COOKIE, note_caller
from gateway.http.origin import address_of, came_over_tls
from gateway.http.refusals import LoginRequiredError, RefusedError, WrongLoginError

# Names and passwords; nobody needs more.
LOGIN_LIMITS = FormLimits(fields=64 * 1024, file=0, files_total=0, files=0)


class SessionCalls:
    """Opens and ends sessions."""

    def __init__(self, accounts: Accounts, public_url: str | None) -> None:
        self._accounts = accounts
        self._public_url = public_url

    async def login(self, request: Request) -> Response:
        """Open a session."""
        if request.method != "POST":
            raise LoginRequiredError
        try:
            async with read_form(request, LOGIN_LIMITS) as form:
                name, password = form.fields.get("username"), form.fields.get("password")
        except (BadFormError, TooLargeError):
            name = password = None
        if name is None or password is None:
            raise RefusedError("Insufficient login info")
        if not await self._accounts.password_is_right(name, password, address_of(request)):
            raise WrongLoginError("Incorrect login credentials")
        note_caller(request, name)
        answer = success("Logged in")
        answer.set_cookie(
            SESSION_COOKIE,
            self._accounts.new_session(name),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            secure=came_over_tls(request, self._public_url),
        )
        return answer

    async def logout(self, request: Request) -> Response:
        """End the session in the caller's hands; sessions are signed facts, so no gateway has to be told."""
        answer = success("Goodbye")
        secure = came_over_tls(request, self._public_url)
        answer.delete_cookie(SESSION_COOKIE, httponly=True, samesite="lax", secure=secure)
        return answer

    async def status(self, request: Request) -> Response:
        """Say that somebody is here."""
        return success("OK")
