"""Publishes that wait for the broker's word, by the number that each has on its channel."""

from collections.abc import Callable

from .errors import AmqpError, NackedError, ReturnedError


class Confirm:
    """What becomes of one publish: `done` once the broker has stored it (no `error`), or will never say so."""

    __slots__ = ("_then", "done", "error", "message_id")

    def __init__(self, message_id: str | None) -> None:
        self.message_id = message_id
        self.done = False
        self.error: AmqpError | None = None
        self._then: Callable[[], None] | None = None

    def then(self, call: Callable[[], None]) -> None:
        """Have one function called when it is done: at once, if it is."""
        if self.done:
            call()
        else:
            self._then = call

    def end(self, error: AmqpError | None = None) -> None:
        """Be done; an error that is known before stays."""
        self.done = True
        self.error = self.error or error
        if self._then:
            self._then()


class Confirms:
    """The publishes of one channel that are not confirmed yet, in the order in which they were sent."""

    def __init__(self) -> None:
        self._sent = 0
        self._waiting: dict[int, Confirm] = {}

    def add(self, message_id: str | None) -> Confirm:
        """Note one more publish."""
        self._sent += 1
        confirm = self._waiting[self._sent] = Confirm(message_id)
        return confirm

    def settle(self, tag: int, *, multiple: bool, stored: bool) -> None:
        """Take the broker's word on a publish, or with `multiple` on all up to it (tag 0: on all)."""
        if not multiple:
            settled = [self._waiting.pop(tag)] if tag in self._waiting else []
        else:
            settled = []
            while self._waiting and (first := next(iter(self._waiting))) <= (tag or first):
                settled.append(self._waiting.pop(first))
        for confirm in settled:
            confirm.end(None if stored else NackedError("the broker did not store the message"))

    def returned(self, message_id: str | None) -> None:
        """Note that no queue takes a message: the broker says so before it confirms it."""
        for confirm in self._waiting.values():
            # From the oldest, which is nearly always the one.
            if confirm.message_id == message_id and confirm.error is None:
                confirm.error = ReturnedError("no queue takes the message")
                return

    def end(self, error: AmqpError) -> None:
        """End all: no word will come any more."""
        waiting, self._waiting = self._waiting, {}
        for confirm in waiting.values():
            confirm.end(error)
