"""Callback URLs as they stand in the ledger: for who knows the SECRET_KEY and has to find a submission by its URL."""

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker_setup.wire.secret_keys import derived_key

# An Open edX's has some 200 bytes; of a longer one the beginning is enough to find it by.
MAX_URL_BYTES = 600
_NONCE_BYTES = 12


class UrlSeals:
    """Seals in AES-256-GCM under the current secret, 16 bytes longer than the URL; opens those of earlier secrets too.

    The nonce is of the submission's uuid, which is chance: each submission has one URL, and it is sealed once.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = [AESGCM(derived_key(secret, "callback URLs in the ledger")) for secret in secrets]

    def seal(self, url: str, submission: bytes) -> bytes:
        """Seal the callback URL of a submission, which has these 16 bytes as its uuid."""
        clear = url.encode(errors="replace")[:MAX_URL_BYTES]
        return self._keys[0].encrypt(submission[:_NONCE_BYTES], clear, submission)

    def open(self, sealed: bytes, submission: bytes) -> str:
        """Return the URL; "" where nobody who knows our secrets sealed it for that submission."""
        for key in self._keys:
            try:
                return key.decrypt(submission[:_NONCE_BYTES], sealed, submission).decode(errors="replace")
            except (InvalidTag, ValueError):
                continue
        return ""
