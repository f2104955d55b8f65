"""Which transport a URL means: by its scheme."""

from collections.abc import Sequence

from xqueue_grader.common.errors import SettingsError
from xqueue_grader.transports.over_amqp.transport import AmqpTransport
from xqueue_grader.transports.transport import Transport

_SCHEMES = {"amqp": AmqpTransport, "amqps": AmqpTransport}


def transport_for(url: str, queues: Sequence[str], prefetch: int) -> Transport:
    """Make the transport that takes submissions of course queues from `url`, at most `prefetch` of each at a time.

    Raise SettingsError for a URL that can't be used; nothing is opened yet.
    """
    scheme, mark, _ = url.partition("://")
    kind = _SCHEMES.get(scheme.lower())
    if not mark or kind is None:
        # Without the URL: it holds a password.
        known = " or ".join(f"{each}://" for each in _SCHEMES)
        raise SettingsError(f"the URL must begin with {known}, and begins with {scheme[:10] + mark!r}")
    try:
        return kind(url, queues, prefetch)
    except ValueError as error:  # a port that is none, a bracket too few; all that it quotes is where, not who
        raise SettingsError(f"the URL can't be read: {error}") from None
