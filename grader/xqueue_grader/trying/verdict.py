"""What becomes of a reply in Open edX: taken or not, how it counts, what a student reads, what is odd. No I/O."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from xqueue_grader.common.wire.replies import MAX_REPLY_BYTES, check_strictly
from xqueue_grader.trying.as_text import as_text
from xqueue_grader.trying.broken_markup import broken_in

# nginx takes no larger requests, unless it is told to.
USUAL_PROXY_BYTES = 1024 * 1024
# How many characters times how many tags are looked at: Python's parser takes some seconds for so many at worst.
MOST_WORK = 20_000_000


@dataclass(frozen=True)
class Prospect:
    """What is to be expected of a reply.

    `wrong` says why an LMS would not take it, "" if it would; `odd` what its author may not have meant. `correct`,
    `score` and `text`, which is what a student reads, are there where it is taken.
    """

    wrong: str = ""
    odd: list[str] = field(default_factory=list)
    correct: bool | None = None
    score: float | None = None
    text: str = ""


def prospect_of(reply: bytes) -> Prospect:
    """Look at a reply as it goes out."""
    found = check_strictly(reply)
    if found.wrong:
        return Prospect(found.wrong, _wrong_size(reply) if len(reply) <= MAX_REPLY_BYTES else [])
    content = json.loads(reply.decode(errors="replace"))
    odd = [found.odd] if found.odd else []
    odd += _odd_bytes(reply) + _odd_values(content) + _wrong_size(reply)
    msg = content["msg"]
    if "\0" in msg:
        odd.append("its msg has a NUL: XML has none, and HTML drops it")
    if len(msg) * msg.count("<") > MOST_WORK:
        odd.append("its msg has more markup than is looked at here")
        text = msg
    else:
        odd += [f"its msg: {each}" for each in broken_in(msg)]
        text = as_text(msg)
    if not text:
        odd.append("a student reads nothing in it")
    score = content["score"]
    return Prospect("", odd, bool(content["correct"]), max(0, int(score) if isinstance(score, bool) else score), text)


def _odd_bytes(reply: bytes) -> list[str]:
    odd = []
    try:
        reply.decode()
    except UnicodeDecodeError:
        odd.append("it has bytes that are no UTF-8: a student reads \N{REPLACEMENT CHARACTER} in their place")
    twice: set[str] = set()

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in found]
        twice.update(name for name in ("correct", "score", "msg") if names.count(name) > 1)
        return dict(found)

    json.loads(reply.decode(errors="replace"), object_pairs_hook=pairs)
    return odd + [f"its {name} comes more than once: the last one counts" for name in sorted(twice)]


def _odd_values(content: dict[str, Any]) -> list[str]:
    correct, score = content["correct"], content["score"]
    odd = []
    if correct is None:
        odd.append("its correct is null, which counts as incorrect")
    elif not isinstance(correct, bool | str):
        odd.append(f"its correct is neither true nor false, and counts as {'correct' if correct else 'incorrect'}")
    if isinstance(score, bool):
        odd.append(f"its score is {str(score).lower()}, which counts as {int(score)}")
    elif score < 0:
        odd.append("its score is below 0, which counts as 0")
    elif score > 1:
        odd.append("its score is above 1: points, if the problem has so many; to edx-submissions a ratio, at most 1")
    if correct and score <= 0:
        odd.append("it is correct, with 0 points")
    if not correct and score > 0:
        odd.append("it is incorrect, with points")
    return odd


def _wrong_size(reply: bytes) -> list[str]:
    """Results travel as forms, in which three characters stand for one that is not plain."""
    size = len(quote_plus(reply))
    if size > MAX_REPLY_BYTES:
        return [f"its form has {size} bytes, and an LMS takes {MAX_REPLY_BYTES} unless it is told otherwise"]
    if size > USUAL_PROXY_BYTES:
        return [
            f"its form has {size} bytes, and nginx before an LMS takes {USUAL_PROXY_BYTES} unless it is told otherwise"
        ]
    return []
