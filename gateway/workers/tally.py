"""What the workers of a gateway come to: what each said last of itself, and what those that have ended had counted."""

from dataclasses import dataclass
from threading import Lock

import msgspec

from broker_setup.metrics_port.endpoint import Standing
from gateway.figures.families import Family, added_up
from gateway.figures.gateway_figures import standing_of

EVERY_SECONDS = 1.0
# Who has said nothing for so long has ended, or stands still: how it was says nothing of how it is.
FRESH_SECONDS = 10.0

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Family])


def encode_report(families: list[Family]) -> bytes:
    """Make the report of one worker."""
    return _encoder.encode(families)


@dataclass(frozen=True)
class _Report:
    families: list[Family]
    at: float


class Tally:
    """Told by the parent, and asked by the thread that shows it; times are of one clock, in seconds."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reports: dict[int, _Report] = {}
        self._of_the_ended: list[Family] = []

    def heard(self, pid: int, report: bytes, now: float) -> None:
        """Take a worker's report in; one of another version, which can't be read, is no report."""
        try:
            families = _decoder.decode(report)
        except msgspec.MsgspecError:
            return
        with self._lock:
            self._reports[pid] = _Report(families, now)

    def ended(self, pid: int) -> None:
        """Keep what a worker had counted, and nothing else of it."""
        with self._lock:
            report = self._reports.pop(pid, None)
            if report:
                counted = [family for family in report.families if family.only_grows]
                self._of_the_ended = added_up([self._of_the_ended, counted])

    def families(self, now: float) -> list[Family]:
        """Return what they come to."""
        with self._lock:
            reports, ended = list(self._reports.values()), self._of_the_ended
        told = [
            [family for family in report.families if family.only_grows or now - report.at < FRESH_SECONDS]
            for report in reports
        ]
        return added_up([*told, ended])

    def standing(self, now: float) -> Standing:
        """Say what they are at: one that serves is enough."""
        return standing_of(self.families(now))
