"""Keys from the secrets in the settings: one of its own for each purpose, and those that sign callbacks."""

import base64
import binascii

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derived_key(secret: str, purpose: str) -> bytes:
    """Derive the 32-byte key of `purpose` from `secret` (HKDF-SHA256); equal in every process that knows it."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"xqueue {purpose}".encode()).derive(
        secret.encode(),
    )


def fernet_key(secret: str, purpose: str) -> bytes:
    """Derive `purpose`'s key in the form that Fernet takes (urlsafe base64)."""
    return base64.urlsafe_b64encode(derived_key(secret, purpose))


# Standard Webhooks' own marks and limits, in bytes.
SIGNING_KEY_PREFIX = "whsec_"
SHORTEST_SIGNING_KEY, LONGEST_SIGNING_KEY = 24, 64


def signing_key(text: str) -> bytes:
    """Decode a key in Standard Webhooks' form, "whsec_" and base64; raise ValueError, which does not quote it."""
    try:
        key = base64.b64decode(text.removeprefix(SIGNING_KEY_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(SIGNING_KEY_PREFIX) or not SHORTEST_SIGNING_KEY <= len(key) <= LONGEST_SIGNING_KEY:
        raise ValueError(
            f'must be "{SIGNING_KEY_PREFIX}" and the base64 of {SHORTEST_SIGNING_KEY} to {LONGEST_SIGNING_KEY} bytes '
            f"(`echo {SIGNING_KEY_PREFIX}$(openssl rand -base64 32)` makes one)"
        )
    return key
