"""Who is calling: Basic auth that names an account of ours, or a session cookie."""

import base64
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.accounts import Accounts
from gateway.http.forms import drain

SESSION_COOKIE = "sessionid"
LOGIN_PATH = "/xqueue/login/"

Endpoint = Callable[[Request], Awaitable[Response]]


async def account_of(request: Request, accounts: Accounts) -> str | None:
    """Return the caller's account, or None.

    Basic auth that names nobody of ours is ignored: many sites put such a gate in front of the whole host.
    """
    basic = _basic_credentials(request.headers.get("authorization", ""))
    if basic and basic[0] in accounts and await accounts.password_is_right(*basic):
        return basic[0]
    cookie = request.cookies.get(SESSION_COOKIE)
    return accounts.account_of_session(cookie) if cookie else None


def with_account(accounts: Accounts, endpoint: Endpoint) -> Endpoint:
    """Let only calls with an account through to `endpoint`; the others are sent to the login."""

    async def guarded(request: Request) -> Response:
        if await account_of(request, accounts):
            return await endpoint(request)
        # The body first: answered early, nginx turns the redirect into a 502.
        await drain(request.stream())
        back = quote(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
        return RedirectResponse(f"{LOGIN_PATH}?next={back}", status_code=302)

    return guarded


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
