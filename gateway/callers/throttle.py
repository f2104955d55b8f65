"""Counts wrong guesses at passwords: different ones only, for a while, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from time import monotonic

from broker_setup.errors import XQueueError

WINDOW_SECONDS = 300.0
# With 16 bytes for each guess some 10 MB at the most, under an attack from thousands of addresses.
MAX_KEYS = 4096


# The prefix that a provider gives to an organisation, and some to anybody: 65,536 networks that count as an address.
_SITE_PREFIX = 48


def site_of(address: str) -> str | None:
    """Return the site that an IPv6 address belongs to; None for any other: IPv4 addresses are not free to take."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    if not isinstance(parsed, IPv6Address):
        return None
    bits = 128 - _SITE_PREFIX
    return f"{IPv6Address(int(parsed) >> bits << bits)}/{_SITE_PREFIX}"


class TooManyGuessesError(XQueueError):
    """Too many different passwords were tried: none is looked at for so many seconds."""

    def __init__(self, seconds: float, *, of_address: bool) -> None:
        """`of_address`: they were for any accounts, not for this one alone."""
        self.seconds = max(1, int(seconds) + 1)
        self.of_address = of_address
        super().__init__(f"Too many failed logins, try again in {self.seconds} seconds")


class Guesses:
    """The wrong guesses of the last minutes, by the key that they are counted for.

    The same guess again counts once: that is no attack but a client with an old password, who must not lock out
    others behind the same address.
    """

    def __init__(
        self,
        most: int,
        *,
        seconds: float = WINDOW_SECONDS,
        keys: int = MAX_KEYS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`most` guesses in `seconds` are allowed for each key; the key that was used longest ago makes room."""
        self._most = most
        self._seconds = seconds
        self._keys = keys
        self._clock = clock
        self._guesses: OrderedDict[bytes, dict[bytes, float]] = OrderedDict()

    def wait(self, key: bytes) -> float:
        """Say in how many seconds another guess is allowed; 0 is now."""
        guesses = self._fresh(key)
        if len(guesses) < self._most:
            return 0.0
        return next(iter(guesses.values())) + self._seconds - self._clock()

    def has(self, key: bytes, guess: bytes) -> bool:
        """Whether this guess was made lately."""
        return guess in self._fresh(key)

    def add(self, key: bytes, guess: bytes) -> None:
        """Count a guess."""
        self._guesses.setdefault(key, {})[guess] = self._clock()
        self._guesses.move_to_end(key)
        if len(self._guesses) > self._keys:
            self._guesses.popitem(last=False)

    def drop(self, key: bytes, guess: bytes) -> None:
        """Don't count this guess after all: it was right."""
        guesses = self._guesses.get(key, {})
        guesses.pop(guess, None)
        if not guesses:
            self._guesses.pop(key, None)

    def _fresh(self, key: bytes) -> dict[bytes, float]:
        guesses = self._guesses.get(key)
        if guesses is None:
            return {}
        oldest = self._clock() - self._seconds
        # Oldest first, as they were added.
        while guesses and next(iter(guesses.values())) <= oldest:
            del guesses[next(iter(guesses))]
        if not guesses:
            del self._guesses[key]
        return guesses
