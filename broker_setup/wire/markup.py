"""Says of a reply's msg whether the LMS can show it: XML, or else HTML that comes to anything; and makes one of text.

Nothing here expands an entity, and everything takes time in proportion to the text: graders may be hostile.
"""

import html
import re
from contextlib import suppress
from typing import Any
from xml.parsers import expat

# What the LMS's trees can't hold, neither as it stands nor as a reference, not even a terminal's ESC, nor half a
# character. NUL and form feed are dropped or replaced. (A form feed in a comment or in an attribute is not, but nobody
# sends that.)
_FORBIDDEN = bytes(set(range(1, 0x20)) - set(b"\t\n\x0c\r"))
_NO_CHARACTERS = ("\ufffe", "\uffff")
# The last: Python makes no numbers of so many digits.
_FORBIDDEN_REFERENCE = re.compile(
    "&#(?:0*(?:[1-8]|11|1[4-9]|2[0-9]|3[01]|6553[45])(?![0-9])"
    "|[xX]0*(?:[1-8bBeEfF]|1[0-9a-fA-F]|[fF]{3}[eEfF])(?![0-9a-fA-F])"
    "|[xX]?[0-9a-fA-F]{3500})"
)
# What XML can't have: text may come from anywhere.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# lxml takes no text that says how it was encoded; it raises what the LMS doesn't catch.
_ENCODING_DECLARED = re.compile(r"""<\?xml[^>]+\sencoding\s*=\s*["']""")

# What a <div>, into which the LMS parses the message, takes and drops: tags that belong elsewhere, ends of nothing ...
# (No possessive quantifiers here: Python 3.11.2, Debian 12's, gets them wrong.)
_ELSEWHERE = re.compile(
    r"<(?:body|caption|col|colgroup|frame|frameset|head|html|tbody|td|tfoot|th|thead|tr)(?=[\s/>])",
    re.ASCII | re.IGNORECASE,
)
_END_OF_NOTHING = re.compile(r"</(?!(?:br|p)[\s/>])[a-z][^\s/>]*", re.ASCII | re.IGNORECASE)
_DROPPED = re.compile(r"\0+|</>|<!doctype[^>]*>", re.ASCII | re.IGNORECASE)
# ... and what is never closed.
_TAG = re.compile(r"</?[a-z][^\s/>]*", re.ASCII | re.IGNORECASE)
_OPEN_DOCTYPE = re.compile(r"<!doctype[^>]*\Z", re.ASCII | re.IGNORECASE)
# Within a tag: an attribute's name, which may begin with =, and its value up to a quote, if it begins with one.
_ATTRIBUTE = re.compile(r"[\s/]*=?[^\s/>=]*(?:\s*=\s*(?:([\"'])|[^\s>]*))?", re.ASCII)

# No grader puts more before the first thing that a student sees, or into one tag; a hostile one takes our time with it.
_MOST_STEPS = 10_000
# Said to expat, so that it heeds no declaration behind a byte order mark: Python would look for a codec of that name,
# raise what no XML is to blame for, and keep the name, of megabytes, for good. The LMS's parser heeds none either.
_ENCODING = "utf-8"

# libxml2 takes no deeper elements, and what an element that is open costs us adds up.
_MAX_DEPTH = 256


def shown(text: str) -> str:
    """Make markup that shows `text` as it is, whatever stands in it."""
    return html.escape(_NO_XML.sub("\N{REPLACEMENT CHARACTER}", text))


def wrong_with_markup(msg: str) -> str:
    """Say why the LMS can't show a message, with nothing of it; "" if it can."""
    if _ENCODING_DECLARED.match(msg):
        return "its msg declares an encoding"
    if _has_a_forbidden_character(msg):
        return "its msg has a character that neither XML nor HTML can have"
    if _declares_a_grammar(msg):
        return "its msg declares a document type of its own, which may hold entities"
    refers = "&#" in msg and _FORBIDDEN_REFERENCE.search(msg) is not None
    if (not refers and _yields_html(msg)) or _is_xml(msg):
        return ""
    return "its msg refers to a character that neither XML nor HTML can have" if refers else "its msg shows nothing"


def _has_a_forbidden_character(text: str) -> bool:
    try:
        octets = text.encode()
    except UnicodeEncodeError:
        return True
    # Each of these is done by one call, in a tenth of the time of an expression.
    if len(octets.translate(None, _FORBIDDEN)) != len(octets):
        return True
    return not text.isascii() and any(character in text for character in _NO_CHARACTERS)


def _yields_html(text: str) -> bool:
    """Tell whether HTML that stands in a <div> has anything in it: text, an element, a comment."""
    at = _skip_dropped(text)
    return at < len(text) and not _is_unclosed(text, at)


def _skip_dropped(text: str) -> int:
    at = 0
    for _ in range(_MOST_STEPS):
        if dropped := _DROPPED.match(text, at):
            at = dropped.end()
        elif tag := _ELSEWHERE.match(text, at) or _END_OF_NOTHING.match(text, at):
            end = _end_of_tag(text, tag.end())
            if end is None:
                return at
            at = end
        else:
            return at
    return len(text)


def _is_unclosed(text: str, at: int) -> bool:
    tag = _TAG.match(text, at)
    if tag is None:
        return _OPEN_DOCTYPE.match(text, at) is not None
    return _end_of_tag(text, tag.end()) is None


def _end_of_tag(text: str, at: int) -> int | None:
    """Return where a tag ends whose name ends at `at`; a quoted value may hold anything but its own quote."""
    end = text.find(">", at)
    if end < 0 or (text.find('"', at, end) < 0 and text.find("'", at, end) < 0):
        return end + 1 or None
    for _ in range(_MOST_STEPS):
        found = _ATTRIBUTE.match(text, at)
        assert found, "it matches nothing at all, too"
        at = found.end()
        if quote := found[1]:
            at = text.find(quote, at) + 1
            if not at:
                return None
        elif at == len(text):
            return None
        elif text.startswith(">", at):
            return at + 1
    return None


class _EnoughError(Exception):
    """A parser has seen what was asked for."""


def _declares_a_grammar(text: str) -> bool:
    """Tell whether XML has a document type with declarations in it: entities that grow or nest without end, say.

    Expat before 2.7, which is Debian 12's, dies of 30,000 entities in a chain, and takes the process along. So
    none is ever declared to it: the parser is left where declarations begin.
    """
    if "\0" in text or "<!DOCTYPE" not in text or "[" not in text:
        return False
    found = False

    def doctype(name: str, system: str | None, public: str | None, has_declarations: object) -> None:
        nonlocal found
        found = bool(has_declarations)
        raise _EnoughError

    def element(*_: Any) -> None:
        raise _EnoughError

    parser = expat.ParserCreate(_ENCODING)
    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = element
    with suppress(_EnoughError, expat.ExpatError):
        parser.Parse(text.encode(), True)
    return found


def _is_xml(text: str) -> bool:
    """Tell whether text that declares no grammar is XML."""
    # Nothing with NUL is: where one is first or second, expat reads UTF-16, whatever it was told, and its grammar.
    if "\0" in text:
        return False
    depth = 0

    def opened(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            raise _EnoughError

    def closed(_: str) -> None:
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate(_ENCODING)
    parser.StartElementHandler = opened
    parser.EndElementHandler = closed
    parser.ordered_attributes = True
    try:
        parser.Parse(text.encode(), True)
    except (_EnoughError, expat.ExpatError):
        return False
    return True
