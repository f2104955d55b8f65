"""What a link says while the broker is away: each reason once, and now and then that it still is."""

import logging
from dataclasses import dataclass, field

# Often enough for whoever looks at the log, and no flood in a night without a broker.
REMINDER_SECONDS = 30.0


@dataclass
class Outage:
    """The tries to connect to the broker at `where` that failed since `began`, of a clock in seconds."""

    where: str
    began: float
    _reasons: set[str] = field(default_factory=set)
    _said: float = 0.0

    def failed(self, why: str, now: float) -> tuple[int, str]:
        """Return at which level, and in what words, to log that a try failed."""
        if why not in self._reasons:
            self._reasons.add(why)
            self._said = now
            return logging.WARNING, f"no connection to the broker at {self.where}: {why}"
        if now - self._said >= REMINDER_SECONDS:
            self._said = now
            return logging.WARNING, f"still no connection to {self.where} after {now - self.began:.0f} s: {why}"
        return logging.DEBUG, f"no connection to the broker at {self.where}: {why}"
