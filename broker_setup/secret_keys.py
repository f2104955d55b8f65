"""One secret in the settings, and a key of its own for each purpose, derived from it."""

import base64

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
