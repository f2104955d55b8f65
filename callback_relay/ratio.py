"""Scores for an upstream, which takes ratios from 0 to 1, made of points; no I/O."""

import json
import math

from broker_setup.wire.replies import too_much_in
from broker_setup.wire.strangers_json import read_object


def with_ratio(reply: bytes, points: float) -> bytes:
    """Return a grader's reply with its score divided by `points`, and none below 0 or above 1.

    An upstream can't store a score beyond these, and would have the submission graded anew, up to five times. A reply
    that has no usable score stays as it is; so does one whose score is a ratio already.
    """
    text = reply.decode(errors="replace")
    content = None if too_much_in(text) else read_object(text)
    score = (content or {}).get("score")
    if content is None or not isinstance(score, int | float):
        return reply
    try:
        ratio = min(1.0, max(0.0, score / points))
    except OverflowError:
        return reply
    if not math.isfinite(score) or ratio == score:
        return reply
    return json.dumps(content | {"score": ratio}).encode()
