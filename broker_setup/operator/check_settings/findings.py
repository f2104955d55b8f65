"""What the settings hold against the start of each service, all of it at once."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from broker_setup.operator.check_settings.opened import wrong_with_what_opens
from broker_setup.settings.examining import Examined
from broker_setup.settings.passive_graders import passive_graders
from broker_setup.settings.required import REQUIRED, Service


@dataclass(frozen=True)
class Mistake:
    """One sentence, and the services that do not start for it."""

    services: list[Service]
    what: str


@dataclass(frozen=True)
class Findings:
    """The services that were looked at; none of them starts for a mistake of its own, and all do with a warning."""

    services: list[Service]
    mistakes: list[Mistake]
    warnings: list[str]


def findings(services: Iterable[Service], examine: Callable[[Collection[str]], Examined]) -> Findings:
    """Look at these services, where none is named at all that have something to do.

    `examine` reads the settings of a process that can't do without these keys.
    """
    looked_at = list(services) or _all(examine(()))
    found: dict[str, list[Service]] = {}
    warnings: dict[str, None] = {}
    for service in looked_at:
        examined = examine(REQUIRED[service])
        warnings |= dict.fromkeys(examined.warnings)
        for what in (*examined.mistakes, *wrong_with_what_opens(service, examined)):
            found.setdefault(what, []).append(service)
    return Findings(looked_at, [Mistake(who, what) for what, who in found.items()], list(warnings))


def _all(examined: Examined) -> list[Service]:
    needless = set()
    if not passive_graders(examined.right):
        needless.add(Service.PASSIVE)
    if not examined.right.console_accounts and "console_accounts" not in examined.wrong_keys:
        needless.add(Service.CONSOLE)
    if not examined.right.upstreams and "upstreams" not in examined.wrong_keys:
        needless.add(Service.UPSTREAM)
    return [service for service in Service if service not in needless]
