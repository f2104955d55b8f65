"""The callback: what is posted to which URL."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from yarl import URL

from broker_setup.errors import BadCallbackUrlError, XQueueError
from broker_setup.outbound.callback_urls import callback_url, origin_of
from broker_setup.wire.results import Result
from broker_setup.wire.return_address import ReturnAddress
from callback_relay.quoting import pieces_quoted


class BadCallbackError(XQueueError):
    """The LMS's header names no URL that a result could be posted to."""


@dataclass(frozen=True, repr=False)
class Callback:
    """One POST: the form's two fields, byte for byte, and where they go.

    `id` is the same each time that this result is posted, and another one for an amendment and for a notice. With an
    `upstream` it goes by the session there of that name, where `points` are a whole score.
    """

    url: URL
    header: bytes
    body: bytes
    id: str = ""
    upstream: str = ""
    points: float = 1.0
    origin: str = field(init=False, compare=False)  # the LMS as scheme://host:port: no path, no user, no password

    def __post_init__(self) -> None:
        """Work the origin out, which is asked for again and again."""
        object.__setattr__(self, "origin", origin_of(self.url))

    def __repr__(self) -> str:
        """Show nothing of the reply, the LMS's key, and the URL's path and password."""
        return f"Callback({self.id} to {self.origin})"

    def form(self) -> bytes:
        """Encode the two fields as application/x-www-form-urlencoded."""
        return b"".join(self.form_pieces())

    def has_more_than(self, most: int) -> bool:
        """Say whether the form has more than `most` bytes; encode no more of it than that takes to show."""
        sizes = accumulate(map(len, self.form_pieces()))
        return any(size > most for size in sizes)

    def form_pieces(self) -> Iterator[bytes]:
        """Encode the same piece by piece: whole, it may be three times as large as the two fields."""
        yield b"xqueue_header="
        yield from pieces_quoted(self.header)
        yield b"&xqueue_body="
        yield from pieces_quoted(self.body)


def callback_for(result: Result, address: ReturnAddress) -> Callback:
    """Make the callback that takes `result` to `address`; raise BadCallbackError if that has no http(s) URL."""
    header = address.header
    if address.upstream:
        raise BadCallbackError("it was taken out of an upstream, and UPSTREAMS is not set here")
    if header is None:
        raise BadCallbackError("the LMS's header is not JSON")
    if not isinstance(given := header.get("lms_callback_url"), str):
        raise BadCallbackError("the LMS's header has no lms_callback_url")
    try:
        url = callback_url(given)
        # A header that came in as bytes which are no UTF-8 leaves as the same bytes.
        raw_header = address.lms_header.encode(errors="surrogateescape")
    except BadCallbackUrlError as error:
        raise BadCallbackError(str(error)) from None
    except ValueError:
        raise BadCallbackError("the LMS's header has characters that can't be sent") from None
    return Callback(url, raw_header, result.body, id_of(result))


def id_of(result: Result) -> str:
    """Name a callback: the same for each try of one result."""
    # A receiver that drops what it has seen must not drop a result that comes after its notice.
    return f"{result.submission}-{'notice' if result.notice else result.amendment}"
