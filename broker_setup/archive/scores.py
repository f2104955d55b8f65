"""What a grader's reply says of a student's work, as a gradebook would read it; no I/O."""

import json
from math import isfinite

from msgspec import Struct

from broker_setup.archive.entries import ArchivedResult


class Score(Struct, frozen=True):
    """`score` and `correct` are None where the reply has none; `note` says why, "" where it has a score."""

    score: float | None = None
    correct: bool | None = None
    note: str = ""


def score_of(result: ArchivedResult) -> Score:
    """Read the score of a reply, whatever else it is."""
    if result.notice:
        return Score(note="no grader could finish it")
    try:
        reply = json.loads(result.reply)
    except (ValueError, RecursionError):
        return Score(note="the reply is no JSON")
    if not isinstance(reply, dict):
        return Score(note="the reply is no JSON object")
    score, correct = reply.get("score"), reply.get("correct")
    found = correct if isinstance(correct, bool) else None
    if isinstance(score, int | float) and not isinstance(score, bool) and isfinite(score):
        return Score(float(score), found)
    return Score(None, found, "the reply has no score")
