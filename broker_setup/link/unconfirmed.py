"""What was published and is not confirmed yet: for each routing key, whether its queue still answers."""

from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass
class _Key:
    pending: dict[Hashable, float] = field(default_factory=dict)  # when each was sent, in that order
    confirmed_at: float = float("-inf")


class Unconfirmed:
    """The publishes under way, by routing key; times are of one clock, in seconds.

    A queue without a leader confirms nothing, which says nothing about other queues. Once a publish is confirmed, those
    sent before it to the same key count as pending no more: their own confirms may have been lost with the old leader.
    """

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}

    def sent(self, key: str, publish: Hashable, now: float) -> None:
        """Note that a publish begins."""
        its = self._keys.get(key)
        if its is None:
            its = self._keys[key] = _Key()
        its.pending[publish] = now

    def confirmed(self, key: str, publish: Hashable, now: float) -> None:
        """Note that it was confirmed."""
        its = self._keys.get(key)
        if its is None:
            return
        its.confirmed_at = now
        while publish in its.pending:
            del its.pending[next(iter(its.pending))]
        self._tidy(key, its)

    def forget(self, publish: Hashable) -> None:
        """Note that nothing is to be learnt from it any more."""
        for key, its in list(self._keys.items()):
            if its.pending.pop(publish, None) is not None:
                self._tidy(key, its)

    def clear(self) -> None:
        """Forget all: what was sent on another connection says nothing of this one."""
        self._keys.clear()

    def pending(self, key: str) -> int:
        """Count what waits for a confirm of that key."""
        its = self._keys.get(key)
        return len(its.pending) if its else 0

    def waits(self, key: str, publish: Hashable) -> bool:
        """Say whether nothing that was sent to that key after it is confirmed yet."""
        its = self._keys.get(key)
        return its is not None and publish in its.pending

    def silent_for(self, key: str, now: float) -> float:
        """Say for how long a key has confirmed nothing though something waits for it; 0 if nothing does."""
        its = self._keys.get(key)
        return max(0.0, now - max(next(iter(its.pending.values())), its.confirmed_at)) if its else 0.0

    def _tidy(self, key: str, its: _Key) -> None:
        if not its.pending:
            del self._keys[key]
