"""Says which graders' replies an edX LMS would choke on, or drop together with what the student is waiting for.

The LMS checks a reply before it looks at the key, and computes with its score. Whatever it takes is its business and
is not looked at here: keys that come twice, further keys, what `correct` means.
"""

import math
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from .markup import wrong_with_markup
from .strangers_json import read_json

# Django takes forms of 2.5 MB: no larger reply reaches an LMS that nobody has told otherwise.
MAX_REPLY_BYTES = 2_621_440

# What the LMS does with a callback is said by the last part of its URL's path.
_SCORE = "/score_update"
_UNGRADED = "/ungraded_response"
# Of an LMS's own grader queue, which computes with the score, and hands the whole reply to the same code.
_PUT_RESULT = "/put_result"

# Of a URL with nothing in it that would have to be taken apart or unquoted: its path.
_USUAL_URL = re.compile(r"https?://[A-Za-z0-9.:-]+(/[A-Za-z0-9/._~+@:;=-]*)")

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACKET = re.compile(r"[\[\]{}]")
# An LMS whose requests run 200 calls deep raises at some 800, and catches nothing; and each list costs memory.
_MAX_DEPTH = 500
# A reply has three values and some of its grader's own; while more are read, nobody else gets a turn.
_MAX_VALUES = 100_000


@dataclass(frozen=True, slots=True)
class Finding:
    """What is `wrong` with a reply, so that it is refused, and what is `odd`, so that its author is warned; or "".

    Neither says anything of what stands in the reply.
    """

    wrong: str = ""
    odd: str = ""


FINE = Finding()


def check_reply(callback_url: str, reply: bytes, most: int = MAX_REPLY_BYTES) -> Finding:
    """Check a reply for the LMS at `callback_url`, which takes `most` bytes.

    Takes a few microseconds for a usual reply, and time in proportion for any.
    """
    path = _path(callback_url)
    if path.endswith((_SCORE, _PUT_RESULT)):
        return check_strictly(reply, most)
    return Finding(_wrong_with_ungraded(reply, most)) if path.endswith(_UNGRADED) else FINE


def check_strictly(reply: bytes, most: int = MAX_REPLY_BYTES) -> Finding:
    """Check a reply without knowing where it goes: one with nothing wrong is fine everywhere."""
    content = _read(reply, most)
    if isinstance(content, str):
        return Finding(content)
    missing = [name for name in ("correct", "score", "msg") if name not in content]
    if missing:
        return Finding(f"it has no {' and no '.join(missing)}")
    msg = content["msg"]
    wrong = _wrong_with_score(content["score"]) or (
        wrong_with_markup(msg) if isinstance(msg, str) else "its msg is not text"
    )
    if wrong:
        return Finding(wrong)
    if isinstance(content["correct"], str):
        return Finding(odd="its correct is text, which the LMS takes for right whatever it says, unless it is empty")
    return FINE


def is_checked(callback_url: str) -> bool:
    """Tell whether replies that go to a URL are looked at."""
    return _path(callback_url).endswith((_SCORE, _UNGRADED, _PUT_RESULT))


def _path(url: str) -> str:
    if usual := _USUAL_URL.fullmatch(url):
        return usual[1].rstrip("/")
    try:
        path = urlsplit(url).path
    except ValueError:
        return ""  # no callback can be made to it
    return unquote(path).rstrip("/")


def _wrong_with_score(score: object) -> str:
    # The LMS compares it with 0 and answers 500 where it can't, each time anew. To Python true is 1, so that works.
    if not isinstance(score, int | float):
        return "its score is not a number"
    try:
        finite = math.isfinite(score)
    except OverflowError:  # a whole number that no float holds: the LMS multiplies it by the problem's weight
        finite = False
    return "" if finite else "its score is not a finite number"


def _wrong_with_ungraded(reply: bytes, most: int) -> str:
    """The LMS stores any msg; one that is no text then breaks the page of the whole problem."""
    content = _read(reply, most)
    if isinstance(content, str):
        return content
    if "msg" not in content:
        return "it has no msg"
    if not isinstance(content["msg"], str):
        return "its msg is not text"
    return "its msg holds half a character" if _LONE_SURROGATE.search(content["msg"]) else ""


def _read(reply: bytes, most: int) -> dict[str, Any] | str:
    """Read a reply as the LMS does, or say what is wrong with it."""
    if len(reply) > most:
        return f"it has {len(reply)} bytes, more than the {most} that an LMS is taken to take (MAX_REPLY_SIZE)"
    # A web framework replaces what is no UTF-8, and a byte order mark is a character to it; bytes would be lenient.
    text = reply.decode(errors="replace")
    if wrong := too_much_in(text):
        return wrong
    try:
        content = read_json(text)
    except ValueError:  # also for numbers of more digits than anybody needs
        return "it is not JSON"
    except RecursionError:
        return "it is nested too deeply"
    return content if isinstance(content, dict) else "it is not a JSON object"


def too_much_in(text: str) -> str:
    """Count values and depth before anything is made of them; of text that is no JSON, say anything."""
    if text.count("[") + text.count("{") <= _MAX_DEPTH and text.count(",") <= _MAX_VALUES:
        return ""
    too_many = f"it has more than {_MAX_VALUES} values"
    if text.count('"') - text.count('\\"') > 4 * _MAX_VALUES:  # a key and a text for each
        return too_many
    # Without its strings. Backslashes stand nowhere else, and go in pairs from the left.
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    if outside.count("[") + outside.count("{") + outside.count(",") > _MAX_VALUES:
        return too_many
    depth = 0
    for bracket in _BRACKET.finditer(outside):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > _MAX_DEPTH:
            return "it is nested too deeply"
    return ""
