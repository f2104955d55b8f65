"""How long to wait before the next try, and what is said of trouble meanwhile."""

import logging
import random
from time import monotonic

from xqueue_grader.transports.over_http.answers import UnavailableError

log = logging.getLogger(__name__)

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0
# How often the log says that a server is still away.
SAY_SECONDS = 30.0


class Retries:
    """Doubles its pauses, each by chance up to half as long again, so that many graders don't come at once."""

    def __init__(self) -> None:
        self._next = FIRST_SECONDS

    def pause(self, error: UnavailableError) -> float:
        """Say how many seconds to wait: what the server asks for, or what it is time for."""
        seconds, self._next = self._next, min(2 * self._next, LONGEST_SECONDS)
        return max(error.retry_after or 0.0, seconds) * random.uniform(1.0, 1.5)  # noqa: S311 - no secret


class Outage:
    """Says once that a server is away, then now and then, and once that it is back."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._said: dict[str, float] = {}

    def tell(self, what: str, error: Exception) -> None:
        """Take note that `what`, such as a queue's polls, does not work."""
        if monotonic() - self._said.get(what, -SAY_SECONDS) >= SAY_SECONDS:
            self._said[what] = monotonic()
            log.warning("%s: %s: %s; trying again", self._server, what, error)

    def over(self, what: str) -> None:
        """Take note that it works."""
        if self._said.pop(what, None) is not None:
            log.info("%s: %s: works again", self._server, what)
