"""The sealed return address: where a result goes, unreadable and unforgeable for whoever carries it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from broker_setup.errors import BadReturnAddressError
from broker_setup.secret_keys import fernet_key


@dataclass(frozen=True)
class ReturnAddress:
    """Where the result of one submission goes.

    `submission` is the submission's uuid (32 hex characters), `lms_header` the LMS's xqueue_header, verbatim.
    """

    submission: str
    lms_header: str


class Sealer:
    """Seals and opens return addresses under the current secret; opens those of earlier secrets too."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(fernet_key(secret, "return address")) for secret in secrets])

    def seal(self, address: ReturnAddress) -> str:
        """Encrypt and authenticate `address`: an ASCII string, about 4/3 of the header plus 150 characters."""
        # The submission is sealed in with the header, so that a seal can't be moved to another submission's result.
        clear = json.dumps([address.submission, address.lms_header], ensure_ascii=False)
        return self._fernet.encrypt(clear.encode(errors="surrogatepass")).decode("ascii")

    def open(self, sealed: str, submission: str) -> ReturnAddress:
        """Open `sealed`; raise BadReturnAddressError unless we sealed it, for `submission`."""
        try:
            clear = self._fernet.decrypt(sealed)
        except (InvalidToken, ValueError) as error:
            raise BadReturnAddressError("the return address was not sealed by this XQueue") from error
        sealed_for, lms_header = json.loads(clear.decode(errors="surrogatepass"))
        if sealed_for != submission:
            raise BadReturnAddressError(f"the return address belongs to submission {sealed_for}")
        return ReturnAddress(sealed_for, lms_header)


def callback_url_of(lms_header: str) -> str:
    """Return the lms_callback_url of an LMS header, "" where it has none that is text."""
    url = _part_of(lms_header, "lms_callback_url")
    return url if isinstance(url, str) else ""


def queue_name_of(lms_header: str) -> str:
    """Return the queue that an LMS header names, "" where it names none; a number is taken for its digits."""
    queue = _part_of(lms_header, "queue_name")
    return "" if queue is None else str(queue)


def _part_of(lms_header: str, key: str) -> object:
    try:
        header = json.loads(lms_header)
    except (ValueError, RecursionError):
        return None
    return header.get(key) if isinstance(header, dict) else None
