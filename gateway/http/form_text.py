"""Makes text of a form's bytes: as UTF-8 wherever they are that, since the charset that is named is often wrong."""

import codecs
import re
from collections.abc import Iterator

# The field by which browsers say how they have encoded the others.
CHARSET_FIELD = "_charset_"
_LONGEST_NAME = 40
# Bytes, or characters. Replacing what is wrong takes a thousand times as long as decoding what is right, and no other
# thread runs during one call of C: 15 MiB of halves of characters held the event loop for a second and more.
_PIECE = 64 * 1024
# The two halves of one character, which stay two in Python where JSON escaped each of them.
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")
# The charsets that people write in. Python has other codecs that are no charsets (rot13), or in which plain text means
# something else (UTF-7, escapes).
_OF_PEOPLE = re.compile(r"iso8859-\d+|cp\d+|koi8-\w|mac-\w+|shift_jis\w*|euc_\w+|gb\d*k?|gb18030|big5\w*|johab|tis-620")


def known_charset(name: str | None) -> str | None:
    """Return the codec that a sender names, None if it is none in which people write."""
    if not name or len(name) > _LONGEST_NAME:
        return None
    try:
        codec = codecs.lookup(name.strip().strip("\"'")).name
    except (LookupError, ValueError):
        return None
    return codec if _OF_PEOPLE.fullmatch(codec) else None


def text_of(raw: bytes | bytearray, charset: str | None = None) -> str:
    """Decode bytes: as UTF-8 if they are, else as `charset` says, else with U+FFFD for what is not UTF-8, as Django."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        decoder = codecs.getincrementaldecoder(charset or "utf-8")(errors="replace")
    pieces = (decoder.decode(bytes(raw[at : at + _PIECE])) for at in range(0, len(raw), _PIECE))
    return "".join(pieces) + decoder.decode(b"", final=True)


def whole_characters(text: str) -> str:
    """Join the halves of characters as JSON may escape them, with U+FFFD for a half that is alone."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return "".join(map(_whole, _pieces(text)))
    return text


def _whole(piece: str) -> str:
    return piece.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = start + _PIECE
        # No piece ends between the two halves of a character.
        end += bool(_HALVES.match(text, end - 1))
        yield text[start:end]
        start = end
