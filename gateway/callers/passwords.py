"""Compares passwords with those of the settings, plain or hashed, at one cost for known and unknown names."""

import asyncio
import hmac
import secrets
from collections.abc import Mapping

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from broker_setup.errors import XQueueError

# One check takes some 50 ms and 64 MiB; two at once are what a small machine has to spare.
CHECKS_AT_ONCE = 2
# Some five seconds of checks: a client that came after these would not wait that long.
CHECKS_WAITING = 200

_HASHED = "$argon2"

# What nobody guesses, however often he may try: 96 bits where it is random and written in hex. 8 different characters
# are in all but one of ten thousand such.
_UNGUESSABLE_LENGTH, _UNGUESSABLE_KINDS = 24, 8


def is_unguessable(password: str) -> bool:
    """Whether a password is long enough to need no bound on guesses; anything that is shorter needs it."""
    return len(password) >= _UNGUESSABLE_LENGTH and len(set(password)) >= _UNGUESSABLE_KINDS


class TooManyChecksError(XQueueError):
    """So many passwords wait to be checked that another one is not looked at."""

    def __init__(self) -> None:
        super().__init__("Too many passwords are being checked at the moment, please try again")


class Passwords:
    """The passwords by account. A hash is checked beside the event loop, and once for each right password."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = dict(passwords)
        self._hasher = PasswordHasher()
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        self._unchecked = 0
        # Digests of verified passwords, by a key that never leaves this process: Basic auth comes with every call.
        self._memory_key = secrets.token_bytes(32)
        self._verified: dict[str, bytes] = {}
        # Whoever has no hash is checked against this one, so that it takes as long, and is never let in by it.
        self._decoy = next((known for known in self._passwords.values() if known.startswith(_HASHED)), None)
        self._nobodys = secrets.token_hex()

    def is_known_right(self, name: str, password: str) -> bool:
        """Whether the password is right as far as can be said at once: it is plain, or was verified before."""
        known = self._passwords.get(name)
        if known is None:
            hmac.compare_digest(self._digest(password), self._digest(self._nobodys))
            return False
        if known.startswith(_HASHED):
            return hmac.compare_digest(self._verified.get(name, b""), self._digest(known + password))
        return hmac.compare_digest(self._digest(password), self._digest(known))

    async def is_right(self, name: str, password: str) -> bool:
        """Check a password; a wrong one takes as long for an account without a hash, and for none at all.

        Raise TooManyChecksError without looking at it.
        """
        if self.is_known_right(name, password):
            return True
        known = self._passwords.get(name, "")
        if not known.startswith(_HASHED):
            if self._decoy:
                await self._verify(self._decoy, password)
            return False
        right = await self._verify(known, password)
        if right:
            # Together with the hash that verified it, so that a password is checked anew when its hash has changed.
            self._verified[name] = self._digest(known + password)
        return right

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._memory_key, text.encode(errors="surrogatepass"), "sha256")

    async def _verify(self, known: str, password: str) -> bool:
        if self._unchecked >= CHECKS_AT_ONCE + CHECKS_WAITING:
            raise TooManyChecksError
        self._unchecked += 1
        try:
            async with self._checks:
                return await asyncio.to_thread(self._matches, known, password)
        finally:
            self._unchecked -= 1

    def _matches(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
