"""The session cookie: given at login/, taken back at logout/, and renewed as long as somebody uses it."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.callers.accounts import SESSION_SECONDS, Accounts, Session
from gateway.callers.origin import came_over_tls

SESSION_COOKIE = "sessionid"
# A session that is used once in its fortnight never ends; a new cookie with each call is not needed for that.
RENEWED_AFTER_SECONDS = 24 * 3600
# So much may stand between a cookie and the semicolon before it.
_SPACE = 8


class Sessions:
    """Reads and writes the cookie; sessions are signed facts, so no gateway has to be told of one."""

    def __init__(self, accounts: Accounts, public_url: str | None, cookie: str = SESSION_COOKIE) -> None:
        """`cookie` is its name: one host has one jar for all ports."""
        self._cookie = cookie
        self._accounts = accounts
        self._public_url = public_url

    def of(self, request: Request) -> Session | None:
        """Return the caller's session; None if there is none that is good."""
        cookie = session_cookie(request, self._cookie)
        return self._accounts.session_of(cookie) if cookie else None

    def open(self, request: Request, answer: Response, name: str) -> None:
        """Give the caller a session of `name`."""
        answer.set_cookie(
            self._cookie,
            self._accounts.new_session(name),
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="lax",
            secure=came_over_tls(request, self._public_url),
        )

    def renew(self, request: Request, answer: Response, session: Session) -> None:
        """Give the caller a new cookie if theirs is more than a day old."""
        if session.age > RENEWED_AFTER_SECONDS:
            self.open(request, answer, session.account)

    def close(self, request: Request, answer: Response) -> None:
        """Delete the caller's cookie, and refuse copies of it."""
        if cookie := session_cookie(request, self._cookie):
            self._accounts.end_session(cookie)
        secure = came_over_tls(request, self._public_url)
        answer.delete_cookie(self._cookie, httponly=True, samesite="lax", secure=secure)


def session_cookie(request: Request, name: str = SESSION_COOKIE) -> str | None:
    """Return the session's cookie, without the quotes that some clients put around it; of several the last.

    Looked for and not split: 64 KiB of semicolons take 11 ms. Read here, as Python before 3.11.10 takes apart a quoted
    one in time that grows with the square of its backslashes: seconds for 64 KiB. Ours has no sign that anybody would
    escape.
    """
    begins = f"{name}="
    for header in reversed(request.headers.getlist("cookie")):
        at = header.rfind(begins)
        while at >= 0:
            before = header[max(0, at - _SPACE) : at].rstrip()
            if before.endswith(";") or (not before and at < _SPACE):
                return header[at + len(begins) :].partition(";")[0].strip().strip('"')
            at = header.rfind(begins, 0, at)
    return None
