"""What the broker says when a message is larger than its own max_message_size, which may be below what we send."""

import re

# RabbitMQ up to 3.8 and since; of the default it does not say "configured".
_TOO_LARGE = re.compile(r"message size \d+ (?:is )?larger than (?:configured )?max size (\d+)")


def largest_taken(refusal: object) -> int | None:
    """Return the most bytes that the broker takes in a message, if that is what `refusal` says."""
    found = _TOO_LARGE.search(str(refusal))
    return int(found[1]) if found else None
