"""What a parent does for its workers, as values: `crew.py` decides on them, `supervisor.py` carries them out."""

from dataclasses import dataclass
from signal import Signals


@dataclass(frozen=True)
class Start:
    """Start a worker with this number; it is to take the place of the process `replaces`, if that is not None."""

    number: int
    replaces: int | None = None


@dataclass(frozen=True)
class Open:
    """Tell a worker to take connections at once; by itself it does when it could answer every call."""

    pid: int


@dataclass(frozen=True)
class Retire:
    """Tell a worker to take no more connections, and to end when it has served those that it has."""

    pid: int


@dataclass(frozen=True)
class Send:
    """Send a worker a signal."""

    pid: int
    signal: Signals


@dataclass(frozen=True)
class Say:
    """Write a line into the log."""

    text: str
    is_bad: bool = False


@dataclass(frozen=True)
class End:
    """End, as no worker is left: with this exit code, or of a signal where it is negative."""

    code: int


Action = Start | Open | Retire | Send | Say | End
