"""Reads JSON that a stranger wrote, in time that grows with its size alone."""

import json
from typing import Annotated, cast

import msgspec

# A float has 17 digits, and programs write at most 28. The time for one grows with the square of its digits, and while
# it is read nobody else gets a turn: 16 MiB of them, each of 774 digits, took 2 s.
MAX_FLOAT = 40
# The same for whole numbers, of which Python reads 4,300 digits: 16 MiB of such took 2 s, too. No float has over 309.
MAX_INTEGER = 400


def _float(digits: str) -> float:
    _check(digits, MAX_FLOAT)
    return float(digits)


def _integer(digits: str) -> int:
    _check(digits, MAX_INTEGER)
    return int(digits)


def _check(digits: str, most: int) -> None:
    if len(digits) > most:
        raise ValueError(f"a number in it has more than {most} characters")


_decoder = json.JSONDecoder(parse_float=_float, parse_int=_integer)


def read_json(text: str) -> object:
    """Return what `text` says; raise ValueError or RecursionError for what is no JSON, or has endless numbers."""
    return _decoder.decode(text)


_Short = Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
_decode_usual = msgspec.json.Decoder(dict[str, str | _Short]).decode


def read_object(text: str) -> dict[str, object] | None:
    """Return the object that `text` is; None for anything else, and for endless numbers."""
    try:
        # Nearly all are like this, and read in a fifth of the time; what is not may still be an object.
        return cast("dict[str, object]", _decode_usual(text))
    except (msgspec.DecodeError, UnicodeEncodeError):
        pass
    try:
        value = read_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
