"""Signs callbacks as Standard Webhooks does, so that whoever receives one can tell that it is ours and untouched."""

import hmac
from base64 import b64encode
from collections.abc import Sequence


class Signer:
    """Signs with each of `keys`: while one takes another's place, a receiver needs to know only one of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def begin(self, message_id: str, timestamp: int) -> "Signature":
        """Begin the signature of a body that is sent at `timestamp` (seconds since 1970).

        `message_id` tells a receiver what it has seen already: the same for each try of one callback.
        """
        return Signature(self._keys, message_id, timestamp)


class Signature:
    """Grows with the body's pieces."""

    def __init__(self, keys: Sequence[bytes], message_id: str, timestamp: int) -> None:
        self._id = message_id
        self._timestamp = timestamp
        self._digests = [hmac.new(key, f"{message_id}.{timestamp}.".encode(), "sha256") for key in keys]

    def update(self, piece: bytes) -> None:
        """Take in the body's next piece."""
        for digest in self._digests:
            digest.update(piece)

    def headers(self) -> dict[str, str]:
        """Return the three headers for what was taken in."""
        return {
            "webhook-id": self._id,
            "webhook-timestamp": str(self._timestamp),
            "webhook-signature": " ".join(f"v1,{b64encode(each.digest()).decode('ascii')}" for each in self._digests),
        }
