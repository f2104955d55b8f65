"""What an operator should know of the settings, though they can be used: said once, at start."""

from collections.abc import Collection, Iterator
from ipaddress import ip_address

from broker_setup.settings import Settings
from gateway.callers.access import names_without_account

# Of accounts that may hand work in: more than the one LMS.
_SEVERAL = 2


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
    producers = {name for queue in settings.xqueues for name in _producers(settings, queue)} & settings.users.keys()
    if len(producers) >= _SEVERAL and not settings.callback_allowed_origins:
        yield (
            f"CALLBACK_ALLOWED_ORIGINS is not set, and {len(producers)} accounts may hand work in: each may have "
            "results posted to any address that the relay reaches, inside your network too. Name your LMSs, such as "
            'CALLBACK_ALLOWED_ORIGINS: ["https://lms.example"], or who hands work in, in QUEUE_ACCESS'
        )


def _producers(settings: Settings, queue: str) -> Collection[str]:
    access = settings.queue_access.get(queue)
    return settings.users if access is None or access.producers is None else access.producers


def _list(names: list[str]) -> str:
    return ", ".join(map(repr, names))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
