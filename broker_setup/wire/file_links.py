"""Signed links to files that came with submissions: they say which file, and expire."""

import re
from collections.abc import Sequence
from urllib.parse import quote

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer

from broker_setup.errors import XQueueError
from broker_setup.wire.secret_keys import derived_key

LINK_PATH = "/xqueue/files/"

# Characters that mean something in a path; the name as it is travels in the signed part.
_NOT_IN_A_PATH = re.compile(r"[/\\\x00-\x1f\x7f]")
_SHOWN_NAME_LENGTH = 100


class BadLinkError(XQueueError):
    """The link was not signed by us, or what it leads to is gone."""


class ExpiredLinkError(XQueueError):
    """The link was good, but is too old."""


class FileLinks:
    """Makes links under the first secret, and reads those under any."""

    def __init__(self, secret_keys: Sequence[str], *, seconds: int) -> None:
        """Links are good for so many `seconds`."""
        self._seconds = seconds
        self._links = URLSafeTimedSerializer([derived_key(key, "file link") for key in reversed(secret_keys)])

    def link(self, submission: str, index: int, name: str, base_url: str) -> str:
        """Return an absolute link to the file of that number, which its submitter called `name`."""
        token = self._links.dumps([submission, index, name])
        return f"{base_url}{LINK_PATH}{token}/{quote(shown_name(name), safe='')}"

    def read(self, token: str) -> tuple[str, int, str]:
        """Return submission, number and name of a link's token; raise ExpiredLinkError or BadLinkError."""
        try:
            submission, index, name = self._links.loads(token, max_age=self._seconds)
        except SignatureExpired as error:
            raise ExpiredLinkError("this link has expired") from error
        except (BadData, ValueError, TypeError) as error:
            raise BadLinkError("no such file") from error
        return submission, index, name


def shown_name(name: str) -> str:
    """Return what a submitter called a file, as far as that can stand in a path."""
    return _NOT_IN_A_PATH.sub("_", name)[-_SHOWN_NAME_LENGTH:].strip(".") or "file"
