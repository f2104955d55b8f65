"""Seals what is archived: AES-256-GCM under the current secret, for the one place where it lies; no I/O."""

import hashlib
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.wire.seals import secret_id
from broker_setup.wire.secret_keys import derived_key

_VERSION = 1
_HEAD_BYTES, _NONCE_BYTES, _TAG_BYTES = 5, 12, 16


class ArchiveSeals:
    """Seals under the first secret, opens what any of them sealed; each place has a key of its own."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = {
            secret_id(secret).to_bytes(4): hashlib.blake2b(
                key=derived_key(secret, "archive, each object with its key"), digest_size=32
            )
            for secret in secrets
        }
        self._head = bytes((_VERSION,)) + secret_id(secrets[0]).to_bytes(4)

    def seal(self, clear: bytes, place: str) -> bytes:
        """Seal what lies at a place: 33 bytes longer."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._head + nonce + self._key(self._head, place).encrypt(nonce, clear, self._head)

    def open(self, sealed: bytes, place: str) -> bytes:
        """Return what was sealed for this place.

        Raise BadReturnAddressError where we did not, UnknownSecretError where it names a secret that is not known here.
        """
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        if len(sealed) < _HEAD_BYTES + _NONCE_BYTES + _TAG_BYTES or head[0] != _VERSION:
            raise BadReturnAddressError(f"what lies at {place} was not sealed by this XQueue")
        if head[1:] not in self._keys:
            raise UnknownSecretError(f"what lies at {place} was sealed under a SECRET_KEY that is not known here")
        try:
            return self._key(head, place).decrypt(nonce, sealed[_HEAD_BYTES + _NONCE_BYTES :], head)
        except InvalidTag:
            raise BadReturnAddressError(f"what lies at {place} was not sealed there by this XQueue") from None

    def _key(self, head: bytes, place: str) -> AESGCM:
        key = self._keys[head[1:]].copy()
        key.update(place.encode())
        return AESGCM(key.digest())
