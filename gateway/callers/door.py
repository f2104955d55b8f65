"""The door, before a call's own code: who calls, by a token, Basic auth or a session cookie, and what they may do."""

import base64
from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request

from broker_setup.errors import XQueueError
from broker_setup.process.beside import acting_for
from gateway.callers.access import CALLS, Access, Caller
from gateway.callers.accounts import Accounts, Session
from gateway.callers.lost_callers import LostCallers, Wanderer
from gateway.callers.origin import address_of, agent_of
from gateway.callers.remembered_callers import Known, RememberedCallers
from gateway.callers.sessions import Sessions
from gateway.callers.throttle import TooManyGuessesError
from gateway.callers.tokens import BadTokenError, MissingScopeError, TokenFault, Tokens

# Open edX's clients say JWT, everybody else's Bearer.
TOKEN_SCHEMES = ("jwt", "bearer")
_LONGEST_QUERY = 4096


class NotLoggedInError(XQueueError):
    """The caller has not proved who they are."""


class Door:
    """Lets callers in, with what they may do; sends the others away."""

    def __init__(
        self,
        accounts: Accounts,
        tokens: Tokens | None,
        access: Access,
        *,
        sessions: Sessions,
        lost_callers: LostCallers,
    ) -> None:
        """Without `tokens` no token is taken, and a header with one is ignored."""
        self._accounts = accounts
        self._sessions = sessions
        self._lost_callers = lost_callers
        self._tokens = tokens
        self._access = access
        self._remembered = RememberedCallers()

    async def admit(self, request: Request, call: str) -> Session | None:
        """Note who makes `call`, and for which queues they may; return the session that they came by, if by one.

        Raise NotLoggedInError, BadTokenError (MissingScopeError where the call is not theirs to make),
        TooManyGuessesError or TooManyChecksError.
        """
        digest, changes = self._remembered.digest_of(request), self._accounts.changes
        known = self._remembered.of(digest, changes) if digest else None
        known = known or await self._find_out(request, digest, changes)
        if known is None:
            self._lost_callers.sent_to_login(_wanderer(request, call))
            raise NotLoggedInError
        note_caller(request, known.caller.name)
        if not known.caller.roles & CALLS[call]:
            raise MissingScopeError
        request.scope["state"]["permission"] = partial(self._access.may, known.caller, call)
        return known.session

    async def _find_out(self, request: Request, digest: bytes | None, changes: int) -> Known | None:
        """Return who calls, if it is somebody of ours, and remember that by the digest.

        Raise BadTokenError, TooManyGuessesError or TooManyChecksError. A call with a bad token is refused even with a
        good session. What a token says is read each time: its key may be gone from the file.
        """
        headers = request.headers.getlist("authorization")
        if self._tokens and (tokens := [token for header in headers for token in _tokens(header)]):
            if len(tokens) > 1:
                raise BadTokenError(TokenFault.MALFORMED)
            return Known(self._tokens.caller_of(tokens[0]), None)
        known = await self._of_session_or_password(request, headers)
        if digest and known:
            self._remembered.remember(digest, known, changes)
        return known

    async def _of_session_or_password(self, request: Request, headers: Sequence[str]) -> Known | None:
        """Beside a session Basic auth is ignored: it is for a gate before us, whose passwords are no guesses at ours.

        Raise TooManyGuessesError or TooManyChecksError.
        """
        if session := self._sessions.of(request):
            return Known(Caller(session.account), session)
        name = await self._account_of_basic_auth(headers, address_of(request))
        return Known(Caller(name), None) if name else None

    async def _account_of_basic_auth(self, headers: Sequence[str], address: str) -> str | None:
        """Return the account; None if it is none of ours: many sites put such a gate in front of the whole host."""
        basic = _basic_credentials(headers[0]) if headers else None
        try:
            return basic[0] if basic and await self._accounts.password_is_right(*basic, address) else None
        except TooManyGuessesError as error:
            if error.of_address:
                # The many passwords from that address may be for such a gate; whoever means us is told so by login/.
                return None
            raise


def note_caller(request: Request, name: str) -> None:
    """Note who calls: for the code that answers, and for what is shared out between callers."""
    acting_for.set(name)
    request.scope.setdefault("state", {})["caller"] = name


def permission_of(request: Request) -> Callable[[str], bool]:
    """Return what says whether the caller of a guarded call may reach the queue of a name."""
    permission: Callable[[str], bool] = request.scope["state"]["permission"]
    return permission


def account_of(request: Request) -> str:
    """Return the name of the caller of a guarded call."""
    account: str = request.scope.get("state", {}).get("caller", "")
    return account


def _wanderer(request: Request, call: str) -> Wanderer:
    # It is for a line in the log: of a query without an end nobody need know it.
    is_short = len(request.scope["query_string"]) <= _LONGEST_QUERY
    queue = request.query_params.get("queue_name", "")[:200] if is_short else ""
    return Wanderer(address_of(request), agent_of(request), call, queue)


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
