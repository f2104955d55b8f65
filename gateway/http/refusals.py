"""What callers read when something went wrong: one text and one status for each error, in one table."""

from broker_setup.errors import BrokerUnavailableError, StorageError, UnroutableError, XQueueError
from gateway.http.forms import BusyError
from gateway.leasing.results import BadReplyError, UnknownSubmissionError, WrongKeyError
from gateway.passwords import TooManyChecksError
from gateway.throttle import TooManyGuessesError
from gateway.tokens import BadTokenError, Reason

UNAVAILABLE = "The queue is unavailable at the moment, please try again"
INCORRECT_FORMAT = "Incorrect reply format"


class RefusedError(XQueueError):
    """The call can't be taken as it is; the text is for the caller and says what is wrong."""


# Text and HTTP status; None is the error's own text.
_REFUSALS: dict[type[XQueueError], tuple[str | None, int]] = {
    BrokerUnavailableError: (UNAVAILABLE, 503),
    UnroutableError: (UNAVAILABLE, 503),
    StorageError: (UNAVAILABLE, 503),
    BusyError: (UNAVAILABLE, 503),
    UnknownSubmissionError: ("Submission does not exist", 200),
    WrongKeyError: ("Incorrect key for submission", 200),
    BadReplyError: (INCORRECT_FORMAT, 200),
    RefusedError: (None, 200),
    BadTokenError: (None, 401),
    TooManyGuessesError: (None, 429),
    TooManyChecksError: (None, 503),
}
REFUSED = tuple(_REFUSALS)


def explain(error: Exception) -> tuple[str, int]:
    """Return text and HTTP status for one of REFUSED."""
    text, status = next(_REFUSALS[kind] for kind in type(error).__mro__ if kind in _REFUSALS)
    return text or str(error), status


def headers_of(error: Exception) -> dict[str, str]:
    """Return the headers that go with one of REFUSED."""
    match error:
        case BadTokenError(reason=reason):
            # RFC 6750, section 3.1.
            kind = "insufficient_scope" if reason is Reason.SCOPE else "invalid_token"
            return {"www-authenticate": f'Bearer error="{kind}", error_description="{reason.value}"'}
        case TooManyGuessesError(seconds=seconds):
            return {"retry-after": str(seconds)}
    return {}
