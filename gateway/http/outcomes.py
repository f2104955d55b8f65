"""How a call ended, in few words: for counting, where a sentence would be a series of its own."""

from asyncio import CancelledError
from collections.abc import Mapping
from enum import StrEnum

from starlette.requests import ClientDisconnect

from broker_setup.errors import BrokerUnavailableError, StorageError, UnroutableError
from gateway.callers.door import NotLoggedInError
from gateway.callers.passwords import TooManyChecksError
from gateway.callers.throttle import TooManyGuessesError
from gateway.callers.tokens import BadTokenError, MissingScopeError
from gateway.http.forms import ShortError
from gateway.http.refusals import (
    CallbackRefusedError,
    ForeignPageError,
    IllFormedError,
    LoginRequiredError,
    OverLimitError,
    QueueNotFoundError,
    RefusedError,
    WrongLoginError,
    WrongMethodError,
)
from gateway.http.shared_room import BusyError
from gateway.leasing.reply_check import BadReplyError
from gateway.leasing.results import TooLateError, UnknownSubmissionError, WrongKeyError
from gateway.leasing.returns import TooManyReturnsError


class Outcome(StrEnum):
    """What came of a call."""

    OK = "ok"
    EMPTY = "empty"  # a poll: nothing waits
    REFUSED = "refused"  # what is asked can't be done as it is asked
    DENIED = "denied"  # who asks may not
    THROTTLED = "throttled"  # too much of it came from there
    UNAVAILABLE = "unavailable"  # the broker is away, or there is no room: it may go well the next time
    FAILED = "failed"  # a mistake of ours
    GONE = "gone"  # the caller hung up before the answer


class Why(StrEnum):
    """For what reason a call was not done."""

    LOGIN = "login"
    RIGHTS = "rights"
    METHOD = "method"
    ILL_FORMED = "ill_formed"
    TOO_LARGE = "too_large"
    QUEUE = "queue"
    CALLBACK_URL = "callback_url"
    LEASE = "lease"
    REPLY = "reply"
    THROTTLED = "throttled"
    BROKER = "broker"
    STORAGE = "storage"
    ROOM = "room"
    MISTAKE = "mistake"
    GONE = "gone"


_ENDS: Mapping[type[BaseException], tuple[Outcome, Why]] = {
    RefusedError: (Outcome.REFUSED, Why.ILL_FORMED),
    IllFormedError: (Outcome.REFUSED, Why.ILL_FORMED),
    OverLimitError: (Outcome.REFUSED, Why.TOO_LARGE),
    WrongMethodError: (Outcome.REFUSED, Why.METHOD),
    LoginRequiredError: (Outcome.REFUSED, Why.METHOD),
    QueueNotFoundError: (Outcome.REFUSED, Why.QUEUE),
    CallbackRefusedError: (Outcome.REFUSED, Why.CALLBACK_URL),
    UnknownSubmissionError: (Outcome.REFUSED, Why.LEASE),
    WrongKeyError: (Outcome.REFUSED, Why.LEASE),
    TooLateError: (Outcome.REFUSED, Why.LEASE),
    BadReplyError: (Outcome.REFUSED, Why.REPLY),
    NotLoggedInError: (Outcome.DENIED, Why.LOGIN),
    WrongLoginError: (Outcome.DENIED, Why.LOGIN),
    BadTokenError: (Outcome.DENIED, Why.LOGIN),
    ForeignPageError: (Outcome.DENIED, Why.LOGIN),
    MissingScopeError: (Outcome.DENIED, Why.RIGHTS),
    TooManyGuessesError: (Outcome.THROTTLED, Why.THROTTLED),
    TooManyReturnsError: (Outcome.THROTTLED, Why.THROTTLED),
    TooManyChecksError: (Outcome.UNAVAILABLE, Why.ROOM),
    BusyError: (Outcome.UNAVAILABLE, Why.ROOM),
    ShortError: (Outcome.UNAVAILABLE, Why.ROOM),
    BrokerUnavailableError: (Outcome.UNAVAILABLE, Why.BROKER),
    UnroutableError: (Outcome.UNAVAILABLE, Why.BROKER),
    StorageError: (Outcome.UNAVAILABLE, Why.STORAGE),
    ClientDisconnect: (Outcome.GONE, Why.GONE),
    CancelledError: (Outcome.GONE, Why.GONE),
}


def end_of(error: BaseException) -> tuple[Outcome, Why]:
    """Say how a call ended that raised this; what nothing here names is a mistake of ours."""
    found = (_ENDS[kind] for kind in type(error).__mro__ if kind in _ENDS)
    return next(found, (Outcome.FAILED, Why.MISTAKE))
