"""Who is calling: a token, Basic auth that names an account of ours, or a session cookie; and what they may reach."""

import base64
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.access import CALLS, Access, Caller
from gateway.accounts import Accounts
from gateway.http.forms import drain
from gateway.http.origin import address_of
from gateway.http.refusals import REFUSED, NotLoggedInError
from gateway.leasing.results import Permission
from gateway.passwords import TooManyChecksError
from gateway.throttle import TooManyGuessesError
from gateway.tokens import BadTokenError, MissingScopeError, Reason, Tokens

log = logging.getLogger(__name__)

SESSION_COOKIE = "sessionid"
# Open edX's clients say JWT, everybody else's Bearer.
TOKEN_SCHEMES = ("jwt", "bearer")

Endpoint = Callable[[Request], Awaitable[Response]]


class Door:
    """Lets calls through to their endpoints, with what their callers may do; sends the others away."""

    def __init__(self, accounts: Accounts, tokens: Tokens | None, access: Access) -> None:
        """Without `tokens` none are taken, and a header with one is nothing to us."""
        self._accounts = accounts
        self._tokens = tokens
        self._access = access

    def guarded(self, call: str, endpoint: Endpoint) -> Endpoint:
        """Let only callers that may make `call` through to `endpoint`."""

        async def guarded(request: Request) -> Response:
            try:
                caller = await self._caller_of(request)
                if caller is None:
                    raise NotLoggedInError
                note_caller(request, caller.name)
                if not caller.roles & CALLS[call]:
                    raise MissingScopeError
            except REFUSED as error:
                if not isinstance(error, NotLoggedInError):
                    log.info("%s from %s: %s", request.url.path, address_of(request), error)
                # The body first: answered early, nginx makes a 502 of it.
                await drain(request.stream())
                raise
            request.state.permission = partial(self._access.may, caller, call)
            return await endpoint(request)

        return guarded

    async def _caller_of(self, request: Request) -> Caller | None:
        """Return who calls; None if nobody of ours. Raise BadTokenError, TooManyGuessesError or TooManyChecksError.

        A token is judged by itself: where it is bad, no session makes up for it.
        """
        headers = request.headers.getlist("authorization")
        if self._tokens and (tokens := [token for header in headers for token in _tokens(header)]):
            if len(tokens) > 1:
                raise BadTokenError(Reason.MALFORMED)
            return self._tokens.caller_of(tokens[0])
        cookie = request.cookies.get(SESSION_COOKIE)
        session = self._accounts.account_of_session(cookie) if cookie else None
        try:
            name = await self._account_of_basic_auth(headers, address_of(request))
        except (TooManyGuessesError, TooManyChecksError):
            if not session:
                raise
            name = None
        name = name or session
        return Caller(name) if name else None

    async def _account_of_basic_auth(self, headers: Sequence[str], address: str) -> str | None:
        """Return the account; None if it is none of ours: many sites put such a gate in front of the whole host."""
        basic = _basic_credentials(headers[0]) if headers else None
        try:
            return basic[0] if basic and await self._accounts.password_is_right(*basic, address) else None
        except TooManyGuessesError as error:
            if error.of_address:
                # Others behind that address may be those of such a gate; the login tells those who are not.
                return None
            raise


def note_caller(request: Request, name: str) -> None:
    """Note who calls, for whoever answers."""
    request.state.caller = name


def caller_of(request: Request) -> str:
    """Return the name of the caller of a guarded call."""
    name: str = request.state.caller
    return name


def permission_of(request: Request) -> Permission:
    """Return what the caller of a guarded call may reach."""
    permission: Permission = request.state.permission
    return permission


def account_of(request: Request) -> str:
    """Return the name of the caller of a guarded call, for the log."""
    account: str = getattr(request.state, "caller", "")
    return account


def _tokens(header: str) -> list[str]:
    scheme, _, token = header.strip().partition(" ")
    return [token.strip()] if scheme.lower() in TOKEN_SCHEMES else []


def _basic_credentials(header: str) -> tuple[str, str] | None:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True).decode()
    except ValueError:  # not ASCII, not Base64 or not UTF-8
        return None
    name, colon, password = decoded.partition(":")
    return (name, password) if colon else None
