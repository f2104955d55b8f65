"""Which transport a URL means: by its scheme."""

from collections.abc import Callable, Sequence

from xqueue_grader.common.errors import SettingsError
from xqueue_grader.transports.over_amqp.transport import AmqpTransport
from xqueue_grader.transports.transport import Transport


def _over_http(url: str, queues: Sequence[str], prefetch: int) -> Transport:
    # Whoever grades over AMQP does without its imports, in each worker process.
    from xqueue_grader.transports.over_http.transport import HttpTransport  # noqa: PLC0415

    return HttpTransport(url, queues, prefetch)


_SCHEMES: dict[str, Callable[[str, Sequence[str], int], Transport]] = {
    "amqp": AmqpTransport,
    "amqps": AmqpTransport,
    "http": _over_http,
    "https": _over_http,
}


def transport_for(url: str, queues: Sequence[str], prefetch: int) -> Transport:
    """Make the transport that takes submissions of course queues from `url`, at most `prefetch` of each at a time.

    Raise SettingsError for a URL that can't be used; nothing is opened yet.
    """
    scheme, mark, _ = url.partition("://")
    kind = _SCHEMES.get(scheme.lower())
    if not mark or kind is None:
        # Without the URL: it holds a password.
        known = ", ".join(f"{each}://" for each in _SCHEMES)
        raise SettingsError(f"the URL must begin with one of {known}; it begins with {scheme[:10] + mark!r}")
    try:
        return kind(url, queues, prefetch)
    except ValueError as error:  # a port that is none, a bracket too few; all that it quotes is where, not who
        raise SettingsError(f"the URL can't be read: {error}") from None
