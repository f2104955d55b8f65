"""What each service can't do without."""

from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum


class Service(StrEnum):
    """The processes that run all the time."""

    GATEWAY = "gateway"
    RELAY = "relay"
    PASSIVE = "passive"
    UPSTREAM = "upstream"
    CONSOLE = "console"


REQUIRED: Mapping[Service, tuple[str, ...]] = {
    Service.GATEWAY: ("SECRET_KEY", "USERS", "XQUEUES"),
    Service.RELAY: ("SECRET_KEY",),
    Service.PASSIVE: ("SECRET_KEY", "XQUEUES"),
    Service.UPSTREAM: ("SECRET_KEY", "XQUEUES", "UPSTREAMS"),
    Service.CONSOLE: ("SECRET_KEY", "CONSOLE_ACCOUNTS", "XQUEUES"),
}
NOBODY_TO_CALL = "XQUEUES has no queue with the URL of a grader, so there is nobody to call"


def upstreams_without_password(upstreams: Collection[str], passwords: Collection[str]) -> Iterator[str]:
    """Say of each upstream that has none what is to be done: whoever logs in there can't do without."""
    for name in upstreams:
        if name not in passwords:
            yield f"UPSTREAM_PASSWORDS has none for {name!r}, which UPSTREAMS names"
