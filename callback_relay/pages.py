"""Tells a page for people from what an LMS answers to a callback; no I/O.

An LMS answers 200 with an empty body, which it calls text/html. A page in its place comes from what stands in front:
a maintenance, a login, a firewall that wants to see a browser. They answer 200, too, and no LMS has the result.
"""

import re

# Ahead of the first tag there may be a byte order mark, blanks, and a comment or two.
_SEARCHED = 2048
_TAG = re.compile(rb"<(?:!doctype\s+html|html|head|title|body|meta|script|form)[\s>/]", re.IGNORECASE)


def is_page(content_type: str, body: bytes) -> bool:
    """Whether `body`, of which the beginning is enough, is a page for people."""
    if not body.strip():
        return False
    kind = content_type.partition(";")[0].strip().lower()
    # Of a kind that isn't HTML a tag may be quoted: an LMS's own JSON, or a text of a receiver that is none.
    return kind in {"", "text/html", "application/xhtml+xml"} and _TAG.search(body[:_SEARCHED]) is not None
