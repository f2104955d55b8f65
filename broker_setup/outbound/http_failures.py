"""Says why an HTTP request got no answer, without the library's text, which may quote a URL's secrets or the reply."""

from collections.abc import Sequence

import aiohttp

from broker_setup.failure_words import why_not_connected
from broker_setup.process.shortages import shortage, shortage_now

# By the library's error, most special first.
_WORDS: Sequence[tuple[type[Exception], str]] = (
    (aiohttp.ClientConnectorDNSError, "the host name is unknown"),
    (aiohttp.ServerDisconnectedError, "the connection was closed before an answer"),
    (aiohttp.ClientPayloadError, "the answer broke off"),
    (aiohttp.ClientResponseError, "the answer is no HTTP that can be read"),
    (aiohttp.InvalidURL, "the URL can't be used"),
)
_UNKNOWN = "no reason given"


def shortage_of(error: Exception) -> str | None:
    """Say what this machine has too little of, if that is why a request failed; whoever was asked has no part in it."""
    lacks = shortage(error)
    # A name is not known either where there was no socket to ask with, or no file to look into.
    return shortage_now() if lacks is None and isinstance(error, aiohttp.ClientConnectorDNSError) else lacks


def why_no_answer(error: Exception) -> str:
    """Say what went wrong in words that are fit for a log; empty if it is nothing common."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return words
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return why_not_connected(error.certificate_error)
        case aiohttp.ClientConnectorError():
            return f"no connection: {why_not_connected(error.os_error) or _UNKNOWN}"
        case aiohttp.ClientOSError() | aiohttp.ClientConnectionResetError():
            return f"the connection broke: {why_not_connected(error) or _UNKNOWN}"
        case _:
            return ""
