"""What it means that a callback ended without an answer: whose doing that is, and why, for people and for metrics."""

from collections.abc import Sequence

import aiohttp

from broker_setup.outbound.guarded_connections import AddressRefusedError, LookupTimeoutError
from broker_setup.outbound.http_failures import shortage_of, why_no_answer
from callback_relay.outcome import NoAnswer, NotAllowed, NotMade, not_made
from callback_relay.reason import Reason, Slug

# By the library's error, most special first.
_SLUGS: Sequence[tuple[type[Exception], Slug]] = (
    (aiohttp.ClientConnectorCertificateError, Slug.CERTIFICATE),
    (aiohttp.ClientConnectorDNSError, Slug.UNKNOWN_HOST),
    (aiohttp.ClientConnectorError, Slug.NO_CONNECTION),
    (aiohttp.ServerDisconnectedError, Slug.CUT_OFF),
    (aiohttp.InvalidURL, Slug.BAD_URL),
)


def without_answer(error: Exception, timeout: float) -> NoAnswer | NotAllowed | NotMade:
    """Say what `error` makes of a callback that had `timeout` seconds."""
    # Whichever of the library's errors carries it. It says nothing of the LMS.
    lacks = shortage_of(error)
    match error:
        case _ if lacks:
            return not_made(lacks)
        case TimeoutError():
            return NoAnswer(Reason(Slug.TIMEOUT, f"no answer within {timeout:g} s"))
        case aiohttp.ClientConnectorError(os_error=AddressRefusedError() as refused):
            return NotAllowed(Reason(Slug.NOT_ALLOWED, str(refused)))
        case aiohttp.ClientConnectorError(os_error=LookupTimeoutError() as silent):
            return NoAnswer(Reason(Slug.UNKNOWN_HOST, str(silent)))
        case _:
            return NoAnswer(_reason(error))


def _reason(error: Exception) -> Reason:
    slug = next((slug for kind, slug in _SLUGS if isinstance(error, kind)), Slug.OTHER)
    return Reason(slug, why_no_answer(error) or f"the callback failed: {type(error).__name__}")
