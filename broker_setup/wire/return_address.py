"""The sealed return address: where a result goes, unreadable and unforgeable for whoever carries it."""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import time

from cryptography.fernet import Fernet, InvalidToken

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.wire.secret_keys import derived_key, fernet_key

# The time of a Fernet token has 64 bits, of which a time takes the lower 32 until 2106. The upper half, which version
# 0.1.0 leaves empty and nobody reads as a time, says under which secret it was sealed, authenticated like the rest.
_TIME_BITS = 32
_SECRET_ID_BITS = 31
# A token begins with a byte of its version and eight of its time: twelve base64 characters.
_HEAD_CHARACTERS, _HEAD_BYTES = 12, 9
_VERSION = 0x80
# Version, time, IV, one block and the authentication.
_SHORTEST_BYTES = 1 + 8 + 16 + 16 + 32


@dataclass(frozen=True)
class ReturnAddress:
    """Where the result of one submission goes.

    `submission` is the submission's uuid (32 hex characters), `lms_header` the LMS's xqueue_header, verbatim;
    `sealed_at` is when it was sealed, at submit (seconds since the epoch, 0 before it is sealed).
    """

    submission: str
    lms_header: str
    sealed_at: float = field(default=0.0, compare=False)

    @cached_property
    def header(self) -> Mapping[str, object] | None:
        """What `lms_header` says, read once; None where it is no JSON, and empty where that is no object."""
        try:
            header = json.loads(self.lms_header)
        except (ValueError, RecursionError):
            return None
        return header if isinstance(header, dict) else {}

    @property
    def callback_url(self) -> str:
        """The lms_callback_url, "" where there is none that is text."""
        url = (self.header or {}).get("lms_callback_url")
        return url if isinstance(url, str) else ""

    @property
    def queue(self) -> str:
        """The queue that the header names, "" where it names none; a number is taken for its digits."""
        queue = (self.header or {}).get("queue_name")
        return "" if queue is None else str(queue)


class Sealer:
    """Seals and opens return addresses under the current secret; opens those of earlier secrets too."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._seals_with = _secret_id(secrets[0])
        self._by_id = {_secret_id(secret): Fernet(fernet_key(secret, "return address")) for secret in secrets}

    def seal(self, address: ReturnAddress) -> str:
        """Encrypt and authenticate `address`: an ASCII string, about 4/3 of the header plus 150 characters."""
        # The submission is sealed in with the header, so that a seal can't be moved to another submission's result.
        clear = json.dumps([address.submission, address.lms_header], ensure_ascii=False)
        marked_time = self._seals_with << _TIME_BITS | int(time())
        fernet = self._by_id[self._seals_with]
        return fernet.encrypt_at_time(clear.encode(errors="surrogatepass"), marked_time).decode("ascii")

    def open(self, sealed: str, submission: str) -> ReturnAddress:
        """Open `sealed`.

        Raise BadReturnAddressError unless we sealed it, for `submission`; UnknownSecretError if it says of itself that
        it was sealed under a secret that is not known here: then another process may know it, or this one soon.
        """
        clear = self._decrypted(sealed)
        sealed_for, lms_header = json.loads(clear.decode(errors="surrogatepass"))
        if sealed_for != submission:
            raise BadReturnAddressError(f"the return address belongs to submission {sealed_for}")
        return ReturnAddress(sealed_for, lms_header, _sealed_at(sealed))

    def _decrypted(self, sealed: str) -> bytes:
        secret_id = _secret_id_of(sealed)
        if secret_id and secret_id not in self._by_id:
            raise UnknownSecretError("the return address was sealed under a SECRET_KEY that is not known here")
        for fernet in (self._by_id[secret_id],) if secret_id else self._by_id.values():
            try:
                return fernet.decrypt(sealed)
            except (InvalidToken, ValueError):
                continue
        raise BadReturnAddressError("the return address was not sealed by this XQueue")


def _sealed_at(sealed: str) -> float:
    head = base64.urlsafe_b64decode(sealed[:_HEAD_CHARACTERS])
    return float(int.from_bytes(head[1:]) & ((1 << _TIME_BITS) - 1))


def _secret_id(secret: str) -> int:
    """Name a secret without telling anything of it: never 0, which says that there is no name."""
    derived = int.from_bytes(derived_key(secret, "id of a secret")[:4])
    return derived % ((1 << _SECRET_ID_BITS) - 1) + 1


def _secret_id_of(sealed: str) -> int:
    """Return which secret a seal says it was sealed under; 0 for one of version 0.1.0, and for what is no seal."""
    try:
        head = base64.urlsafe_b64decode(sealed[:_HEAD_CHARACTERS])
    except (binascii.Error, ValueError):
        return 0
    if len(head) != _HEAD_BYTES or head[0] != _VERSION or len(sealed) * 3 // 4 < _SHORTEST_BYTES:
        return 0
    return int.from_bytes(head[1:]) >> _TIME_BITS
