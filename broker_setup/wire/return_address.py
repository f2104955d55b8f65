"""The sealed return address: where a result goes, unreadable and unforgeable for whoever carries it."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from time import time

import msgspec
from msgspec import Struct

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.wire.regrade_address import RegradeAddress, regrade_address
from broker_setup.wire.seals import SEALS, Form, Seals, secret_id, secret_id_in
from broker_setup.wire.upstream_address import UpstreamAddress, upstream_address


class _Named(Struct, gc=False):
    """What is read of an LMS's header."""

    lms_callback_url: str
    queue_name: str


_decode_usual = msgspec.json.Decoder(_Named).decode


class ReturnAddress(Struct, frozen=True, gc=False):
    """Where the result of one submission goes.

    `submission` is the submission's uuid (32 hex characters), `lms_header` the LMS's xqueue_header, verbatim, or the
    text of an UpstreamAddress;
    `sealed_at` is when it was sealed, at submit (seconds since the epoch, 0 before it is sealed).
    """

    submission: str
    lms_header: str
    sealed_at: float = 0.0

    @property
    def header(self) -> Mapping[str, object] | None:
        """What `lms_header` says, read anew; None where it is no JSON, and empty where that is no object."""
        try:
            header = json.loads(self.lms_header)
        except (ValueError, RecursionError):
            return None
        return header if isinstance(header, dict) else {}

    @property
    def upstream(self) -> UpstreamAddress | None:
        """Where the result is put back, if the submission was taken out of an upstream."""
        return upstream_address(self.lms_header)

    @property
    def regrade(self) -> RegradeAddress | None:
        """Which regrade waits for the result, if the submission is a copy: no LMS does then."""
        return regrade_address(self.lms_header)

    @property
    def callback_url(self) -> str:
        """The lms_callback_url, "" where there is none that is text; an upstream's stands for it."""
        return self._named().lms_callback_url

    @property
    def queue(self) -> str:
        """The queue that the header names, "" where it names none; a number is taken for its digits."""
        return self._named().queue_name

    def _named(self) -> _Named:
        # As nearly all are written, in a tenth of the time. What this can't read may still be JSON: half a character.
        with suppress(msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return _decode_usual(self.lms_header)
        if there := self.upstream:
            return _Named(there.url, there.queue)
        if copy := self.regrade:
            return _Named("", copy.queue)
        header = self.header or {}
        url, queue = header.get("lms_callback_url"), header.get("queue_name")
        return _Named(url if isinstance(url, str) else "", "" if queue is None else str(queue))


class Sealer:
    """Seals and opens return addresses under the current secret; opens those of earlier secrets too."""

    def __init__(self, secrets: Sequence[str], form: Form = Form.FERNET) -> None:
        """`form` is that which is written; both are read."""
        self._seals = SEALS[form](secrets[0])
        self._by_version = {
            kind.VERSION: _Known(kind.SHORTEST, {secret_id(secret): kind(secret) for secret in secrets})
            for kind in SEALS.values()
        }

    def seal(self, address: ReturnAddress) -> str:
        """Encrypt and authenticate `address`: an ASCII string, about 4/3 of the header plus 150 characters.

        It was sealed now unless `address` says when.
        """
        sealed = self._seals.seal(address.lms_header, address.submission, int(address.sealed_at or time()))
        return base64.urlsafe_b64encode(sealed).decode("ascii")

    def open(self, sealed: str, submission: str) -> ReturnAddress:
        """Open `sealed`.

        Raise BadReturnAddressError unless we sealed it, for `submission`; UnknownSecretError if it says of itself that
        it was sealed under a secret that is not known here: then another process may know it, or this one soon.
        """
        try:
            raw = base64.urlsafe_b64decode(sealed)
        except ValueError:
            raw = b""
        for seals in self._which_may_open(raw):
            if opened := seals.open(raw, submission):
                lms_header, sealed_at = opened
                return ReturnAddress(submission, lms_header, float(sealed_at))
        raise BadReturnAddressError("the return address was not sealed by this XQueue")

    def _which_may_open(self, raw: bytes) -> Iterable[Seals]:
        known = self._by_version.get(raw[0]) if raw else None
        if known is None or len(raw) < known.shortest:
            return ()
        named = secret_id_in(raw)
        if not named:
            return known.by_id.values()
        if named not in known.by_id:
            raise UnknownSecretError("the return address was sealed under a SECRET_KEY that is not known here")
        return (known.by_id[named],)


@dataclass(frozen=True)
class _Known:
    """The seals of one form, by the name of the secret, and how many bytes the shortest has."""

    shortest: int
    by_id: Mapping[int, Seals]
