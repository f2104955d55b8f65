"""Reads urlencoded forms, in time and memory that grow with their size alone, whatever stands in them."""

import re

from gateway.http.form_limits import MAX_FIELDS, TooLargeError
from gateway.http.form_text import CHARSET_FIELD, known_charset, text_of

# Decoded in pieces: what is not escaped as it should be could be 200 times as large in memory, and a thread that is in
# one long call of C lets no other run.
_PIECE_BYTES = 64 * 1024
_ESCAPE_BYTES = 3
_NO_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# A client that does not escape at all sends what a student wrote; nobody writes so many percent signs.
MAX_SPOILT = 100_000


def parse_urlencoded(body: bytes, charset: str | None = None) -> dict[str, str]:
    """Read a form; of repeated names the last counts. `charset` is for what is not UTF-8.

    Raise TooLargeError for too many fields, or for too many percent signs that escape nothing.
    """
    pairs = [pair.partition(b"=") for pair in body.split(b"&", MAX_FIELDS) if pair]
    if len(pairs) > MAX_FIELDS:
        raise TooLargeError(f"more than {MAX_FIELDS} fields")
    escapes = _Escapes()
    raw = {escapes.decode(name): escapes.decode(value) for name, _, value in pairs}
    named = raw.get(CHARSET_FIELD.encode(), b"").decode("ascii", "replace")
    charset = known_charset(named) or charset
    return {text_of(name, charset): text_of(value, charset) for name, value in raw.items()}


class _Escapes:
    """Decodes the fields of one form."""

    def __init__(self) -> None:
        self._spoilt = 0

    def decode(self, text: bytes) -> bytes:
        """Decode percent escapes and plus signs, as urllib.parse does, but in C: 4 us for a submit, not 45."""
        return b"".join(map(self._decode_piece, _pieces(text)))

    def _decode_piece(self, piece: bytes) -> bytes:
        try:
            return _unescape(piece)
        except UnicodeDecodeError:
            # A percent sign that begins no escape stands for itself.
            mended, count = _NO_ESCAPE.subn(b"%25", piece)
        self._spoilt += count
        if self._spoilt > MAX_SPOILT:
            raise TooLargeError(f"more than {MAX_SPOILT} percent signs that escape nothing")
        return _unescape(mended)


def _unescape(text: bytes) -> bytes:
    escaped = text.replace(b"\\", b"\\\\").replace(b"+", b" ").replace(b"%", b"\\x")
    return escaped.decode("unicode_escape").encode("latin-1")


def _pieces(text: bytes) -> list[bytes]:
    if len(text) <= _PIECE_BYTES:
        return [text]
    pieces, start = [], 0
    while start < len(text):
        end = start + _PIECE_BYTES
        # No escape is cut in two.
        cut = text.rfind(b"%", end - _ESCAPE_BYTES + 1, end)
        end = cut if cut > start and end < len(text) else end
        pieces.append(text[start:end])
        start = end
    return pieces
