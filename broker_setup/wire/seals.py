"""Seals under one secret: text made unreadable and unforgeable, for one submission, in either of two forms; no I/O.

Each names its secret in its head, without telling anything of it, and says when it was made (whole seconds since the
epoch). docs/security.md says what either is good for, and docs/howto/rolling.md which is written when.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from enum import StrEnum
from threading import Lock
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC

from broker_setup.errors import BadReturnAddressError
from broker_setup.wire.secret_keys import derived_key


class Form(StrEnum):
    """In which form a seal is written; both are read."""

    FERNET = "fernet"
    AES_GCM = "aes-gcm"


class Seals(Protocol):
    """What both forms do, for the secret that they were made with."""

    def seal(self, text: str, submission: str, at: int) -> bytes:
        """Seal a text for a submission."""

    def open(self, sealed: bytes, submission: str) -> tuple[str, int] | None:
        """Return the text and when it was sealed; None, or BadReturnAddressError, where it is no seal for that."""


def secret_id(secret: str) -> int:
    """Name a secret by 31 bits, without telling anything of it: never 0, which says that there is no name."""
    return int.from_bytes(derived_key(secret, "id of a secret")[:4]) % (2**31 - 1) + 1


def secret_id_in(sealed: bytes) -> int:
    """Return the name of the secret that a seal says it was made with; 0 in what 0.1.0 sealed."""
    return int.from_bytes(sealed[1:5])


class FernetSeals:
    """Fernet tokens, which 0.1.0 opens: AES-128 in CBC mode, then HMAC-SHA256, around the submission and the text.

    cryptography's Fernet makes four objects for each token, in 45 us. Here two contexts go on for ever: the first block
    of each token is chance, so its ciphertext is an initialization vector that nobody can foresee, whatever stood
    before it (as in TLS 1.1), and what it deciphers to is dropped.
    """

    VERSION = 0x80
    # Version, time, IV, one block and the authentication.
    SHORTEST = 1 + 8 + 16 + 16 + 32

    def __init__(self, secret: str) -> None:
        key = derived_key(secret, "return address")
        # The time has 64 bits, of which one takes the lower 32 until 2106. In the upper half, which 0.1.0 leaves empty
        # and nobody reads as a time, is the name of the secret.
        self._secret_id = secret_id(secret)
        self._mac = HMAC(key[:16], SHA256())
        cipher = Cipher(AES(key[16:]), CBC(os.urandom(_BLOCK)))
        self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        self._turn = Lock()

    def seal(self, text: str, submission: str, at: int) -> bytes:
        """Seal a text for a submission."""
        clear = _clear([submission, text])
        spare = _BLOCK - len(clear) % _BLOCK
        blocks = os.urandom(_BLOCK) + clear + _PADDING[spare]
        with self._turn:
            encrypted = self._encryptor.update(blocks)
        token = bytes((self.VERSION,)) + (self._secret_id << 32 | at).to_bytes(8) + encrypted
        return token + self._signature(token)

    def open(self, sealed: bytes, submission: str) -> tuple[str, int] | None:
        """Return the text and when it was sealed."""
        token, encrypted = sealed[:-32], sealed[9:-32]
        if len(encrypted) % _BLOCK or not hmac.compare_digest(sealed[-32:], self._signature(token)):
            return None
        with self._turn:
            clear = self._decryptor.update(encrypted)[_BLOCK:]
        sealed_for, text = _parts_in(clear[: -clear[-1]])
        if sealed_for != submission:
            raise BadReturnAddressError(f"the return address belongs to submission {sealed_for}")
        return text, int.from_bytes(sealed[5:9])

    def _signature(self, token: bytes) -> bytes:
        mac = self._mac.copy()
        mac.update(token)
        return mac.finalize()


class GcmSeals:
    """AES-256 in Galois/counter mode, with the head and the submission's uuid as associated data.

    Each submission has a key of its own, so that it never matters how many were sealed under one secret.
    """

    VERSION = 0x81
    # Head, nonce, time and tag.
    SHORTEST = 5 + 12 + 4 + 16

    def __init__(self, secret: str) -> None:
        self._head = bytes((self.VERSION,)) + secret_id(secret).to_bytes(4)
        self._keys = hashlib.blake2b(key=derived_key(secret, "return addresses, each with its key"), digest_size=32)

    def seal(self, text: str, submission: str, at: int) -> bytes:
        """Seal a text for a submission."""
        nonce, uuid = os.urandom(_NONCE), submission.encode()
        clear = at.to_bytes(4) + text.encode(errors="surrogatepass")
        return self._head + nonce + self._key_of(uuid).encrypt(nonce, clear, self._head + uuid)

    def open(self, sealed: bytes, submission: str) -> tuple[str, int] | None:
        """Return the text and when it was sealed."""
        uuid = submission.encode(errors="replace")
        nonce, encrypted = sealed[5 : 5 + _NONCE], sealed[5 + _NONCE :]
        try:
            clear = self._key_of(uuid).decrypt(nonce, encrypted, sealed[:5] + uuid)
        except InvalidTag:
            return None
        return clear[4:].decode(errors="surrogatepass"), int.from_bytes(clear[:4])

    def _key_of(self, uuid: bytes) -> AESGCM:
        key = self._keys.copy()
        key.update(uuid)
        return AESGCM(key.digest())


SEALS: Mapping[Form, type[FernetSeals | GcmSeals]] = {Form.FERNET: FernetSeals, Form.AES_GCM: GcmSeals}

_BLOCK, _NONCE = 16, 12
# Each byte of it says how many there are.
_PADDING = [bytes((size,)) * size for size in range(_BLOCK + 1)]


_decode_parts = msgspec.json.Decoder(tuple[str, str]).decode


def _parts_in(clear: bytes) -> tuple[str, str]:
    try:
        return _decode_parts(clear)
    except (msgspec.DecodeError, UnicodeDecodeError):  # half a character
        sealed_for, text = json.loads(clear.decode(errors="surrogatepass"))
        return sealed_for, text


def _clear(parts: list[str]) -> bytes:
    try:
        return msgspec.json.encode(parts)
    except UnicodeEncodeError:  # half a character
        return json.dumps(parts, ensure_ascii=False).encode(errors="surrogatepass")
