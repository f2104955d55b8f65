"""Return addresses of our own kinds: JSON lists, where an LMS's header is an object, as submit/ takes nothing else."""

from typing import TypeVar

import msgspec
from msgspec import Struct

_Address = TypeVar("_Address", bound=Struct)

_encode = msgspec.json.Encoder().encode


def list_text(address: Struct) -> str:
    """Write it as text, to be sealed."""
    return _encode(address).decode()


def read_list(text: str, decoder: msgspec.json.Decoder[_Address]) -> _Address | None:
    """Read it; None where the text is anything else: an LMS's header, lists without end, half a character."""
    if not text.startswith("["):
        return None
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None
