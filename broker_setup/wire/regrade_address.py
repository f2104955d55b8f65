"""The return address of a copy in a regrade: it names no LMS and no URL, so that its result can reach none.

It is sealed in the place of an LMS's header. That is a JSON object, as submit/ takes nothing else; this is a JSON list,
so nobody who submits can write one.
"""

import hashlib

import msgspec
from msgspec import Struct

from broker_setup.wire.own_lists import list_text, read_list

_UUID_BYTES = 16


class RegradeAddress(Struct, frozen=True, array_like=True, gc=False, tag="regrade"):
    """Which `run` a copy belongs to, `of` which archived submission (its uuid) it is, which course queue it goes to."""

    run: str
    of: str
    queue: str

    @property
    def copy_uuid(self) -> str:
        """The copy's own uuid: the same however often this run makes it."""
        return hashlib.blake2b(f"{self.run}/{self.of}".encode(), digest_size=_UUID_BYTES).hexdigest()


_decoder = msgspec.json.Decoder(RegradeAddress)


def regrade_text(address: RegradeAddress) -> str:
    """Write it as text, to be sealed."""
    return list_text(address)


def regrade_address(text: str) -> RegradeAddress | None:
    """Read it; None where the text is anything else, such as an LMS's header."""
    return read_list(text, _decoder)
