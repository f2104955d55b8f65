"""A lease that was the original XQueue's is told of as that, however long it was over when it came here."""

from broker_setup.ledger.events import Leased
from broker_setup.operator.trace.command import describe
from gateway.console.pages.words import told

DAY = 86_400.0
LEASE = Leased(2 * DAY, bytes(16), "openedx", b"", b"\xab" * 16, DAY, "sealed", attempt=0, after=b"")


def test_in_a_trace() -> None:
    assert describe(LEASE) == ["taken from the original XQueue, until 1970-01-02 00:00:00.000Z", "lease abababab"]


def test_in_the_console() -> None:
    assert told(LEASE).startswith("A grader had taken it from the original XQueue, until 02 Jan 00:00:00 UTC.")
