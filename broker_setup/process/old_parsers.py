"""Says which parser of this Python has known holes, where graders' replies are read with it."""

from collections.abc import Iterator
from xml.parsers import expat

# The first whose entities in a chain don't end the process that reads them (CVE-2024-8176).
_GOOD_EXPAT = (2, 7)


def parser_warnings(*, validates: bool, found: tuple[int, ...] = expat.version_info) -> Iterator[str]:
    """Yield a sentence if replies are validated, and so read as XML, with an old expat; `found` is its version."""
    if validates and found < _GOOD_EXPAT:
        yield (
            f"this Python reads XML with expat {'.'.join(map(str, found))}, and before 2.7 some documents end the "
            "process that reads them. Replies that declare anything are refused unread, so none is known to get that "
            "far; a newer Python, or a newer libexpat of the system, closes the hole itself"
        )
