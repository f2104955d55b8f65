"""The return address of a submission that was taken out of an upstream: an LMS's own grader queue.

It is sealed in the place of an LMS's header. That is a JSON object, as submit/ takes nothing else; this is a JSON list,
so nobody who submits can write one, and have the relay log in somewhere in our name.
"""

import msgspec
from msgspec import Struct

from broker_setup.wire.own_lists import list_text, read_list


class UpstreamAddress(Struct, frozen=True, array_like=True, gc=False, tag="upstream"):
    """Where a result goes back to: the `upstream` of that name in the settings, which has the queue `queue_there`.

    `queue` is the course queue here, `url` is shown to people and tells one submission from all others; `header` is
    what the LMS gave with the submission, verbatim.
    """

    upstream: str
    queue_there: str
    queue: str
    url: str
    header: str


_decoder = msgspec.json.Decoder(UpstreamAddress)


def address_text(address: UpstreamAddress) -> str:
    """Write it as text, to be sealed."""
    return list_text(address)


def upstream_address(text: str) -> UpstreamAddress | None:
    """Read it; None where the text is anything else, such as an LMS's header."""
    return read_list(text, _decoder)
