"""How large a message the broker takes: its max_message_size may be below what we send, and a refusal names it."""

import re
from time import monotonic

from ..errors import MessageTooLargeError

# A broker that was started again may take larger messages than the one before.
BELIEVED_SECONDS = 60.0
# The words of RabbitMQ up to 3.8 and of later ones; "configured" is missing where the limit is the default.
_TOO_LARGE = re.compile(r"message size \d+ (?:is )?larger than (?:configured )?max size (\d+)")


class SizeLimit:
    """What one broker takes, as far as it has said so."""

    def __init__(self) -> None:
        self._largest, self._believed_until = 0, float("-inf")

    def learn(self, refusal: object) -> bool:
        """Keep the limit that `refusal` names; say whether it names one."""
        largest = largest_taken(refusal)
        if largest:
            self._largest, self._believed_until = largest, monotonic() + BELIEVED_SECONDS
        return bool(largest)

    def check(self, size: int) -> None:
        """Raise MessageTooLargeError before it is sent: each refusal closes the channel under what is unconfirmed."""
        if monotonic() < self._believed_until and size > self._largest:
            raise MessageTooLargeError(f"more than the {self._largest} bytes that the broker takes")


def largest_taken(refusal: object) -> int | None:
    """Return the most bytes that the broker takes in a message, if that is what `refusal` says."""
    found = _TOO_LARGE.search(str(refusal))
    return int(found[1]) if found else None
