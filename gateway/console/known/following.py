"""Follows the ledger for the console, and hands each applied event on to whoever listens."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link
from broker_setup.link.publisher import Publisher
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings

# Called with an event, what came of it, and who wrote it; in the ledger's order, of a replay, too.
Listener = Callable[[AnyEvent, Outcome, str], None]


class Following:
    """The ledger of the last CONSOLE_WINDOW, followed; `run` its tasks while its links are supervised."""

    def __init__(self, settings: Settings) -> None:
        """Build it; nothing is opened yet."""
        url, name = settings.amqp_url.get_secret_value(), process_name("xqueue-console", settings.console_port)
        self.reading, self.publishing, self.asking = (
            Link(url, f"{name} {use}") for use in ("ledger", "publish", "asking")
        )
        self.ledger = Ledger(
            link=self.reading,
            publisher=Publisher(self.publishing),
            state=LedgerState(),
            window=settings.console_window,
            name=name,
        )
        self.ledger.on_applied(self._applied)
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have `listener` called for every event from now on."""
        self._listeners.append(listener)

    @property
    def problem(self) -> str:
        """Why what is shown may be old; empty if everything that was written has been read."""
        return self.ledger.problem

    @property
    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What has to run, by name."""
        return {"ledger reader": self.ledger.read(), "ledger notes": self.ledger.write_notes()}

    def _applied(self, frame: Frame, outcomes: Sequence[Outcome]) -> None:
        for event, outcome in zip(frame.events, outcomes, strict=True):
            for listener in self._listeners:
                listener(event, outcome, frame.writer)
