"""Says which graders' replies an edX LMS would drop, together with what the student is waiting for.

The LMS checks a reply before it looks at the key. Whatever that check takes is the LMS's business and is not looked at
here: scores that are null or NaN, keys that come twice, further keys.
"""

import json
import re
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

# What the LMS does with a callback is said by the last part of its URL's path.
_SCORE = "/score_update"
_UNGRADED = "/ungraded_response"

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# What the LMS's trees can't hold, neither as it stands nor as a reference, not even a terminal's ESC. NUL and form feed
# are dropped or replaced. (A form feed in a comment or in an attribute is not, but nobody sends that.)
_FORBIDDEN = re.compile("[\x01-\x08\x0b\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# The last: Python makes no numbers of so many digits.
_FORBIDDEN_REFERENCE = re.compile(
    "&#(?:0*(?:[1-8]|11|1[4-9]|2[0-9]|3[01]|6553[45])(?![0-9])"
    "|[xX]0*(?:[1-8bBeEfF]|1[0-9a-fA-F]|[fF]{3}[eEfF])(?![0-9a-fA-F])"
    "|[xX]?[0-9a-fA-F]{3500})"
)
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
# Within a tag: where it ends, or where a value begins that may be quoted.
_END_OR_VALUE = re.compile(r">|=\s*([\"']?)", re.ASCII)


def wrong_with_reply(callback_url: str, reply: bytes) -> str | None:
    """Say why the LMS at `callback_url` would drop what the student waits for; None if the reply is fine.

    The text holds nothing of the reply. Takes a few microseconds for a usual reply, and time in proportion for any.
    """
    path = _path(callback_url)
    if path.endswith(_SCORE):
        return _wrong_with_score(reply)
    return _wrong_with_ungraded(reply) if path.endswith(_UNGRADED) else None


def suits_every_url(reply: bytes) -> bool:
    """Tell whether a reply is fine wherever it goes: then nobody needs to know where that is."""
    return _wrong_with_score(reply) is None  # the strictest


def _path(url: str) -> str:
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""  # no callback can be made to it
    return unquote(path).rstrip("/")


def _wrong_with_score(reply: bytes) -> str | None:
    content = _read(reply)
    if isinstance(content, str):
        return content
    missing = [name for name in ("correct", "score", "msg") if name not in content]
    if missing:
        return f"it has no {' and no '.join(missing)}"
    msg = content["msg"]
    return _wrong_with_markup(msg) if isinstance(msg, str) else "its msg is not text"


def _wrong_with_ungraded(reply: bytes) -> str | None:
    """The LMS stores any msg; one that is no text then breaks the page of the whole problem."""
    content = _read(reply)
    if isinstance(content, str):
        return content
    if "msg" not in content:
        return "it has no msg"
    if not isinstance(content["msg"], str):
        return "its msg is not text"
    return "its msg holds half a character" if _LONE_SURROGATE.search(content["msg"]) else None


def _read(reply: bytes) -> dict[str, Any] | str:
    """Read a reply as the LMS does, or say what is wrong with it."""
    # A web framework replaces what is no UTF-8, and a byte order mark is a character to it; bytes would be lenient.
    text = reply.decode(errors="replace")
    try:
        content = json.loads(text)
    except ValueError:  # also for numbers of more than 4,300 digits
        return "it is not JSON"
    except RecursionError:
        return "it is nested too deeply"
    return content if isinstance(content, dict) else "it is not a JSON object"


def _wrong_with_markup(msg: str) -> str | None:
    """The LMS reads msg as XML, and if it is none as HTML, where only few things can go wrong."""
    if _ENCODING_DECLARED.match(msg):
        return "its msg declares an encoding"
    if _FORBIDDEN.search(msg):
        return "its msg has a character that neither XML nor HTML can have"
    refers = _FORBIDDEN_REFERENCE.search(msg) is not None
    if (not refers and _yields_html(msg)) or _is_xml(msg):
        return None
    return "its msg refers to a character that neither XML nor HTML can have" if refers else "its msg shows nothing"


def _yields_html(text: str) -> bool:
    """Tell whether HTML that stands in a <div> has anything in it: text, an element, a comment."""
    at = _skip_dropped(text)
    return at < len(text) and not _is_unclosed(text, at)


def _skip_dropped(text: str) -> int:
    at = 0
    while at < len(text):
        if dropped := _DROPPED.match(text, at):
            at = dropped.end()
        elif tag := _ELSEWHERE.match(text, at) or _END_OF_NOTHING.match(text, at):
            end = _end_of_tag(text, tag.end())
            if end is None:
                break
            at = end
        else:
            break
    return at


def _is_unclosed(text: str, at: int) -> bool:
    tag = _TAG.match(text, at)
    if tag is None:
        return _OPEN_DOCTYPE.match(text, at) is not None
    return _end_of_tag(text, tag.end()) is None


def _end_of_tag(text: str, at: int) -> int | None:
    """Return where a tag ends whose name ends at `at`; a quoted value may hold anything but its own quote."""
    while found := _END_OR_VALUE.search(text, at):
        at = found.end()
        if found[0] == ">":
            return at
        if quote := found[1]:
            at = text.find(quote, at) + 1
            if not at:
                return None
    return None


def _is_xml(text: str) -> bool:
    try:
        expat.ParserCreate().Parse(text.encode(), True)
    except expat.ExpatError:
        return False
    return True
