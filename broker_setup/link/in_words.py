"""What a broker call's error says to an operator: the broker's own words and what helps, in one line, for any library.

No class names, numbers or addresses in memory: with those each try would seem to fail for a new reason.
"""

import asyncio
import re

from broker_setup.errors import XQueueError
from broker_setup.failure_words import why_not_connected
from broker_setup.link.refusals import refusal_in, with_advice

# aiormq says no more of it than that another frame came. RabbitMQ then has let the user in, and closes again.
_NO_VHOST = re.compile(r"Expected one of \['Connection\.OpenOk'\], got <Connection\.Close")
_NO_VHOST_WORDS = (
    "the virtual host of AMQP_URL is not there, its limit is reached, or the user has no rights in it "
    "(`xqueue-broker setup` gives them)"
)
# Such as "Stream connection lost: ConnectionResetError(104, 'Connection reset by peer')", which pika writes.
_WRAPPED = re.compile(r"\w+(?:Error|Exception)\(\d+, (['\"])(?P<words>.+?)\1\)")
_IN_MEMORY = re.compile(r"(?: object)? at 0x[0-9a-f]+")


def in_words(error: BaseException | None) -> str:
    """Say why a call failed or a connection ended; None: nobody said why."""
    # aiormq wraps the CancelledError with which it ends the calls of a connection that goes away in another.
    if error is None or isinstance(error, asyncio.CancelledError):
        return "the connection was lost"
    if isinstance(error, XQueueError):
        return str(error)
    text = " ".join(str(error).split())
    if _NO_VHOST.match(text):
        return _NO_VHOST_WORDS
    if own := refusal_in(text):
        return with_advice(own)
    if wrapped := _WRAPPED.search(text):
        return wrapped["words"].lower()
    return why_not_connected(error) or _IN_MEMORY.sub("", text) or "no reason given"
