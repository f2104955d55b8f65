"""The service accounts of the settings: whose password is right, and which sessions are still good."""

import asyncio
import hmac
import secrets
from collections.abc import Mapping, Sequence

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr

from broker_setup.secret_keys import derived_key

SESSION_SECONDS = 14 * 24 * 3600
# One check takes some 50 ms and 64 MiB; two at once are what a small machine has to spare.
CHECKS_AT_ONCE = 2

_HASHED = "$argon2"


class Accounts:
    """The accounts by name; passwords are plain or argon2 hashes."""

    def __init__(self, users: Mapping[str, SecretStr], secret_keys: Sequence[str]) -> None:
        self._passwords = {name: password.get_secret_value() for name, password in users.items()}
        self._hasher = PasswordHasher()
        self._checks = asyncio.Semaphore(CHECKS_AT_ONCE)
        # What was verified lately, under a key that never leaves this process: Basic auth comes with every call.
        self._memory_key = secrets.token_bytes(32)
        self._verified: dict[str, bytes] = {}
        # The last key signs, every key verifies: sessions outlive a rotation of the secret.
        keys = [derived_key(key, "session") for key in reversed(secret_keys)]
        self._sessions = URLSafeTimedSerializer(keys, salt="session")
        self._fingerprint_keys = [derived_key(key, "password fingerprint") for key in secret_keys]

    def __contains__(self, name: str) -> bool:
        return name in self._passwords

    async def password_is_right(self, name: str, password: str) -> bool:
        """Check a password; an unknown name costs what a known one does."""
        known = self._passwords.get(name, "")
        digest = hmac.digest(self._memory_key, password.encode(errors="surrogatepass"), "sha256")
        if not known.startswith(_HASHED):
            expected = hmac.digest(self._memory_key, known.encode(errors="surrogatepass"), "sha256")
            return hmac.compare_digest(digest, expected) and name in self._passwords
        if hmac.compare_digest(self._verified.get(name, b""), digest):
            return True
        async with self._checks:
            right = await asyncio.to_thread(self._verify, known, password)
        if right:
            self._verified[name] = digest
        return right

    def new_session(self, name: str) -> str:
        """Make the cookie value of a new session of `name`; any gateway with the same secret takes it."""
        return self._sessions.dumps([name, self._fingerprint(name, self._fingerprint_keys[0])])

    def account_of_session(self, cookie: str) -> str | None:
        """Return whose session it is; None if it is forged, over, or the password has changed since."""
        try:
            name, fingerprint = self._sessions.loads(cookie, max_age=SESSION_SECONDS)
        except (BadData, ValueError, TypeError):
            return None
        if name not in self._passwords:
            return None
        good = any(
            hmac.compare_digest(str(fingerprint), self._fingerprint(name, key)) for key in self._fingerprint_keys
        )
        return name if good else None

    def _fingerprint(self, name: str, key: bytes) -> str:
        return hmac.digest(key, self._passwords[name].encode(errors="surrogatepass"), "sha256").hex()[:16]

    def _verify(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password.encode(errors="surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False
