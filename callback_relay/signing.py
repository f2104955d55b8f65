"""Signs callbacks as Standard Webhooks does, so that whoever receives one can tell that it is ours and untouched."""

import hmac
from base64 import b64encode
from collections.abc import Sequence


class Signer:
    """Signs with each of `keys`: while one takes another's place, a receiver needs to know only one of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    def headers(self, message_id: str, body: bytes, timestamp: int) -> dict[str, str]:
        """Return the three headers for `body`, sent at `timestamp` (seconds since 1970).

        `message_id` tells a receiver what it has seen already: the same for each try of one callback.
        """
        signed = f"{message_id}.{timestamp}.".encode() + body
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in self._keys),
        }


def _signature(key: bytes, signed: bytes) -> str:
    return b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
