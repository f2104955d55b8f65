"""What callers read when something went wrong: for each error its text and its statuses, in one table."""

from typing import Self

from broker_setup.errors import BrokerUnavailableError, StorageError, UnroutableError, XQueueError
from broker_setup.settings.access_settings import Dialect
from gateway.callers.door import NotLoggedInError
from gateway.callers.passwords import TooManyChecksError
from gateway.callers.throttle import TooManyGuessesError
from gateway.callers.tokens import BadTokenError, MissingScopeError, TokenFault
from gateway.http.forms import ShortError
from gateway.http.shared_room import BusyError
from gateway.leasing.reply_check import BadReplyError
from gateway.leasing.results import TooLateError, UnknownSubmissionError, WrongKeyError
from gateway.leasing.returns import TooManyReturnsError

UNAVAILABLE = "The queue is unavailable at the moment, please try again"
INCORRECT_FORMAT = "Incorrect reply format"
# Says why a result is refused; the body of the answer is fixed by the contract, and says only that it is refused.
REASON_HEADER = "x-xqueue-reason"
_MAX_REASON = 200
# How many characters of a caller's own text an answer repeats: each may take six bytes, and nothing else bounds that.
_MAX_QUOTED = 10_000


class RefusedError(XQueueError):
    """The call can't be taken as it is; the text is for the caller and says what is wrong."""


class OverLimitError(RefusedError):
    """What was sent is larger than what is taken."""


class IllFormedError(XQueueError):
    """A call is not what the contract asks for; the text says which field and why, and quotes nothing of it."""


class WrongMethodError(RefusedError):
    """The call must use another HTTP method."""


class QueueNotFoundError(RefusedError):
    """There is no such queue, or it must seem so to the caller; `asked_for` is its name where the text has it not."""

    def __init__(self, text: str, asked_for: str = "") -> None:
        super().__init__(text)
        self.asked_for = asked_for

    @classmethod
    def of(cls, name: str) -> Self:
        """Make the error of a queue by its name, of which the caller gets back no more than a queue's can have."""
        return cls(f"Queue '{name[:_MAX_QUOTED]}' not found")


class CallbackRefusedError(RefusedError):
    """No callback goes where a submit asks for it."""


class WrongLoginError(RefusedError):
    """No account has this name and password."""


class ForeignPageError(RefusedError):
    """A browser was sent here by a page of another site."""


class LoginRequiredError(XQueueError):
    """Somebody looks at login/ without logging in."""


# The text, None being the error's own; the status in the original's dialect; that in the dialect of edx-submissions.
_REFUSALS: dict[type[XQueueError], tuple[str | None, int, int]] = {
    RefusedError: (None, 200, 400),
    OverLimitError: (None, 200, 413),
    WrongMethodError: (None, 200, 405),
    QueueNotFoundError: (None, 200, 404),
    WrongLoginError: (None, 200, 401),
    ForeignPageError: (None, 403, 403),
    LoginRequiredError: ("login_required", 200, 200),
    NotLoggedInError: ("login_required", 302, 401),
    UnknownSubmissionError: ("Submission does not exist", 200, 404),
    WrongKeyError: ("Incorrect key for submission", 200, 403),
    TooLateError: ("Incorrect key for submission", 200, 409),
    BadReplyError: (INCORRECT_FORMAT, 200, 400),
    IllFormedError: (INCORRECT_FORMAT, 200, 400),
    BadTokenError: (None, 401, 401),
    MissingScopeError: (None, 401, 403),
    TooManyGuessesError: (None, 429, 429),
    TooManyReturnsError: (None, 429, 429),
    TooManyChecksError: (None, 503, 503),
    BrokerUnavailableError: (UNAVAILABLE, 503, 503),
    UnroutableError: (UNAVAILABLE, 503, 503),
    StorageError: (UNAVAILABLE, 503, 503),
    BusyError: (UNAVAILABLE, 503, 503),
    ShortError: (UNAVAILABLE, 503, 503),
}
REFUSED = tuple(_REFUSALS)


def text_of(error: Exception) -> str:
    """Return what the caller reads of one of REFUSED."""
    text, *_ = _row(error)
    return text or str(error)


def status_of(error: Exception, dialect: Dialect) -> int:
    """Return the HTTP status for one of REFUSED."""
    _, legacy, real = _row(error)
    return legacy if dialect is Dialect.LEGACY else real


def headers_of(error: Exception, dialect: Dialect) -> dict[str, str]:
    """Return the headers that go with one of REFUSED."""
    match error:
        case BadTokenError(fault=fault):
            # RFC 6750, section 3.1.
            kind = "insufficient_scope" if fault is TokenFault.SCOPE else "invalid_token"
            return {"www-authenticate": f'Bearer error="{kind}", error_description="{fault.value}"'}
        case BadReplyError() | IllFormedError():
            return {REASON_HEADER: reason_of(error)}
        case TooManyGuessesError(seconds=seconds) | TooManyReturnsError(seconds=seconds):
            return {"retry-after": str(seconds)}
        case NotLoggedInError() | WrongLoginError() if dialect is not Dialect.LEGACY:
            # RFC 9110: a 401 says how to log in.
            return {"www-authenticate": 'Basic realm="XQueue"'}
        case WrongMethodError() if dialect is not Dialect.LEGACY:
            return {"allow": "POST"}
    return {}


def reason_of(error: Exception) -> str:
    """Say why a result is refused, in a line that can stand in a header."""
    return "".join(character if " " <= character <= "~" else "?" for character in str(error)[:_MAX_REASON])


def _row(error: Exception) -> tuple[str | None, int, int]:
    return next(_REFUSALS[kind] for kind in type(error).__mro__ if kind in _REFUSALS)
