"""The tries of one delivery at a grader that is called: whether there is another, and when; no I/O."""

from collections.abc import Sequence
from hashlib import blake2b


class Tries:
    """Counts the tries of one delivery.

    A grader that answers the same work with the same bytes would go on so, and its student would wait for nothing: the
    second refused reply of the same bytes ends the tries. A page (markup) or an empty reply does not: it comes from
    a proxy before the grader while that is away, and passes, as failures of other kinds do.
    """

    def __init__(self, delays: Sequence[float]) -> None:
        """Allow another try after each of `delays` (seconds)."""
        self._delays = delays
        self._refused: set[bytes] = set()
        self.made = 0

    def failed(self, refused: bytes | None = None) -> float | None:
        """Count one that failed, with the reply if one came and was refused; return the pause, or None: no more."""
        self.made += 1
        if refused is not None and _is_the_graders(refused):
            digest = blake2b(refused).digest()
            if digest in self._refused:
                return None
            self._refused.add(digest)
        return self._delays[self.made - 1] if self.made <= len(self._delays) else None


def _is_the_graders(reply: bytes) -> bool:
    said = reply.lstrip(b"\xef\xbb\xbf \t\r\n")
    return bool(said) and not said.startswith(b"<")
