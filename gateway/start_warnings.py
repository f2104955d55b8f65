"""What an operator should know of the settings, though they can be used: said once, at start."""

from collections.abc import Iterator
from ipaddress import ip_address

from broker_setup.settings import Settings
from gateway.access import names_without_account


def start_warnings(settings: Settings) -> Iterator[str]:
    """Yield a sentence or two for each."""
    for queue, names in names_without_account(settings.queue_access, settings.users).items():
        who = _list(names)
        yield f"QUEUE_ACCESS[{queue}] names {who}, of no account in USERS: right for tokens and AMQP graders alone"
    if strangers := [name for name in settings.dialects if name not in settings.users]:
        yield f"DIALECTS names {_list(strangers)}, of no account in USERS: right for tokens alone"
    if settings.public_url is None and not _is_loopback(settings.host):
        yield (
            f"PUBLIC_URL is not set, and HOST is {settings.host}: links to uploaded files will begin with whatever "
            "name the LMS uses for this gateway, which graders may not be able to reach. Set it to where they reach it"
        )


def _list(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
