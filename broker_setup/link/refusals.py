"""What a broker call's error says to an operator: the broker's own words and what helps, in one line, for any library.

No class names, numbers or addresses in memory: with those each try would seem to fail for a new reason.
"""

import re

from ..amqp.errors import LOCKED, AmqpError
from ..errors import XQueueError
from ..failure_words import why_not_connected

_ADVICE = (
    (
        "ACCESS_REFUSED - Login was refused",
        "user or password in AMQP_URL is wrong; `guest` comes in only from the broker's own machine",
    ),
    ("NOT_ALLOWED - vhost .* not found", "AMQP_URL names a virtual host that the broker doesn't have"),
    ("NOT_ALLOWED - access to vhost", "`xqueue-broker setup` gives XQueue's users their rights in the virtual host"),
    ("ACCESS_REFUSED - .*access to", "`xqueue-broker setup` gives XQueue's users their rights"),
    ("NOT_FOUND - no (?:queue|exchange)", "`xqueue-broker declare` makes what is missing"),
)
# Such as "ACCESS_REFUSED - Login was refused using ...", in quotes or to the end.
_OWN = r"[A-Z]{2,}(?:_[A-Z]+)* - .*"
_OWN_WORDS = re.compile(rf"(['\"])(?P<quoted>{_OWN})\1|(?P<plain>{_OWN})")
# Such as "Stream connection lost: ConnectionResetError(104, 'Connection reset by peer')", which pika writes.
_WRAPPED = re.compile(r"\w+(?:Error|Exception)\(\d+, (['\"])(?P<words>.+?)\1\)")
_IN_MEMORY = re.compile(r"(?: object)? at 0x[0-9a-f]+")


def in_words(error: BaseException | None) -> str:
    """Say why a call failed or a connection ended; None: nobody said why."""
    if error is None:
        return "the connection was lost"
    if isinstance(error, XQueueError):
        return str(error)
    text = " ".join(str(error).split())
    if own := refusal_in(text):
        return with_advice(own)
    if wrapped := _WRAPPED.search(text):
        return wrapped["words"].lower()
    return why_not_connected(error) or _IN_MEMORY.sub("", text) or "no reason given"


def is_locked(error: BaseException) -> bool:
    """Tell whether somebody else has what was asked for, an exclusive queue."""
    return isinstance(error, AmqpError) and error.code == LOCKED


def advice(words: str) -> str | None:
    """Say what helps against a refusal that the broker gave `words` for; None where nothing is known."""
    return next((help_ for pattern, help_ in _ADVICE if re.search(pattern, words)), None)


def with_advice(words: str) -> str:
    """Return `words`, and what helps."""
    helps = advice(words)
    return f"{words.rstrip('.')}: {helps}" if helps else words


def broker_words(text: str) -> str:
    """Take the broker's own words out of a client library's text, which has class names around them."""
    return refusal_in(text) or text


def refusal_in(text: str) -> str | None:
    """Find the broker's own words in a client library's text; None where there are none."""
    found = _OWN_WORDS.search(text)
    return found["quoted"] or found["plain"] if found else None
