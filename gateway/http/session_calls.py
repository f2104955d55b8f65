"""login/ and logout/, which open and end a session, and status/, which says that the gateway answers."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.callers.accounts import Accounts
from gateway.callers.door import note_caller
from gateway.callers.lost_callers import LostCallers
from gateway.callers.origin import address_of, agent_of, is_of_another_site
from gateway.callers.sessions import Sessions
from gateway.http.envelope import success
from gateway.http.forms import BadFormError, FormLimits, TooLargeError, drain, read_form
from gateway.http.refusals import ForeignPageError, LoginRequiredError, RefusedError, WrongLoginError

# Names and passwords; nobody needs more.
LOGIN_LIMITS = FormLimits(fields=64 * 1024, file=0, files_total=0, files=0)


class SessionCalls:
    """Opens and ends sessions."""

    def __init__(
        self, accounts: Accounts, sessions: Sessions, lost_callers: LostCallers, public_url: str | None
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._lost_callers = lost_callers
        self._public_url = public_url

    async def login(self, request: Request) -> Response:
        """Open a session."""
        if request.method != "POST":
            raise LoginRequiredError
        if is_of_another_site(request, self._public_url):
            # A form on such a page would log its reader in to an account of the page's author.
            await drain(request.stream())
            raise ForeignPageError("This login comes from a page of another site")
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
        self._lost_callers.logged_in(address_of(request), agent_of(request))
        answer = success("Logged in")
        self._sessions.open(request, answer, name)
        return answer

    async def logout(self, request: Request) -> Response:
        """End the caller's session."""
        answer = success("Goodbye")
        self._sessions.close(request, answer)
        return answer

    async def status(self, request: Request) -> Response:
        """Say that the gateway answers."""
        return success("OK")
