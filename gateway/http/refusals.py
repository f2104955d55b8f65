"""What callers read when something went wrong: one text and one status for each error, in one table."""

from broker_setup.errors import BrokerUnavailableError, StorageError, UnroutableError, XQueueError
from gateway.http.forms import BusyError
from gateway.leasing.results import UnknownSubmissionError, WrongKeyError

UNAVAILABLE = "The queue is unavailable at the moment, please try again"


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
    RefusedError: (None, 200),
}
REFUSED = tuple(_REFUSALS)


def explain(error: Exception) -> tuple[str, int]:
    """Return text and HTTP status for one of REFUSED."""
    text, status = next(_REFUSALS[kind] for kind in type(error).__mro__ if kind in _REFUSALS)
    return text or str(error), status
