"""The replies of graders: made so that the LMS takes them, and whatever a function returned as bytes."""

import json
import logging
from collections.abc import Mapping
from typing import Any

from xqueue_grader.common.wire.markup import shown
from xqueue_grader.common.wire.replies import check_strictly

log = logging.getLogger(__name__)

# What a grading function may return: a reply as it goes out, or what JSON is made of.
Answer = bytes | str | Mapping[str, Any]


def reply(*, correct: bool, score: float, text: str = "", markup: str | None = None) -> dict[str, Any]:
    """Make a reply that Open edX takes: whether the work is right, its points from 0 to 1, and what the student reads.

    `text` is shown as it is, line by line, whatever stands in it: right for a program's output. `markup` in its place
    is XML or HTML; raise ValueError where the LMS could not show it, or where the score is no finite number. Text as
    `correct` is taken with a warning: to the LMS "False" is as true as any text.
    """
    made = {"correct": correct, "score": score, "msg": f"<pre>{shown(text)}</pre>" if markup is None else markup}
    found = check_strictly(json.dumps(made).encode())
    if found.wrong:
        raise ValueError(f"the LMS would not take this reply: {found.wrong}")
    if found.odd:
        log.warning("the LMS takes this reply, but %s", found.odd)
    return made


def encoded(answer: Answer) -> bytes:
    """Turn what a function returned into a reply's bytes; raise TypeError or ValueError where it can't be one."""
    match answer:
        case bytes():
            return answer
        case str():
            return answer.encode()
        case Mapping():
            return json.dumps(dict(answer)).encode()
    raise TypeError(f"a grading function returns bytes, text or a mapping, not {type(answer).__name__}")
