"""What each service can't do without."""

from collections.abc import Mapping
from enum import StrEnum


class Service(StrEnum):
    """The processes that run all the time."""

    GATEWAY = "gateway"
    RELAY = "relay"
    PASSIVE = "passive"
    CONSOLE = "console"


REQUIRED: Mapping[Service, tuple[str, ...]] = {
    Service.GATEWAY: ("SECRET_KEY", "USERS", "XQUEUES"),
    Service.RELAY: ("SECRET_KEY",),
    Service.PASSIVE: ("SECRET_KEY", "XQUEUES"),
    Service.CONSOLE: ("SECRET_KEY", "CONSOLE_ACCOUNTS", "XQUEUES"),
}
NOBODY_TO_CALL = "XQUEUES has no queue with the URL of a grader, so there is nobody to call"
