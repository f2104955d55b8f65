"""What `trace` asks a console and is told by it: both know the SECRET_KEY, by which each knows the other."""

import hmac
import secrets
from collections.abc import Sequence
from time import time

import msgspec
from msgspec import Struct

from broker_setup.ledger.events import AnyEvent
from broker_setup.operator.trace.history import Step, Timeline
from broker_setup.wire.secret_keys import derived_key

PATH = "/trace"
MAC_HEADER = "x-xqueue-mac"
MAX_BYTES = 4096
# Clocks may be this far apart; a question that somebody has seen is of no use afterwards.
MAX_AGE_SECONDS = 120.0
_NONCE_BYTES = 16


class Question(Struct, frozen=True, array_like=True):
    """Which submissions: an id, a uuid or a whole callback URL, as an operator types it."""

    subject: str
    at: float
    nonce: bytes


class _Told(Struct, frozen=True, array_like=True):
    submission: bytes
    steps: Sequence[tuple[AnyEvent, str, bool]]


_encode = msgspec.msgpack.encode
_questions = msgspec.msgpack.Decoder(Question)
_answers = msgspec.msgpack.Decoder(list[_Told])


class ConsoleWords:
    """Writes and reads them under the secrets of the settings, the current one first."""

    def __init__(self, known_secrets: Sequence[str]) -> None:
        self._keys = [derived_key(secret, "what trace asks a console") for secret in known_secrets]

    def question(self, subject: str) -> tuple[Question, bytes, str]:
        """Make a question, its bytes, and what proves that we ask."""
        question = Question(subject, time(), secrets.token_bytes(_NONCE_BYTES))
        body = _encode(question)
        return question, body, _mac(self._keys[0], b"question", body)

    def read_question(self, body: bytes, mac: str) -> Question | None:
        """Return what is asked; None where nobody asks who knows a secret of ours, or where it is old."""
        if not any(hmac.compare_digest(_mac(key, b"question", body).encode(), mac.encode()) for key in self._keys):
            return None
        try:
            question = _questions.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return question if abs(time() - question.at) < MAX_AGE_SECONDS else None

    def answer(self, question: Question, timelines: Sequence[Timeline]) -> tuple[bytes, str]:
        """Write an answer, and what proves that it is ours and to this question."""
        told = [
            _Told(each.submission, [(step.event, step.writer, step.void) for step in each.steps]) for each in timelines
        ]
        body = _encode(told)
        return body, _mac(self._keys[0], b"answer", question.nonce + body)

    def read_answer(self, question: Question, body: bytes, mac: str) -> list[Timeline] | None:
        """Return what is told; None where it is no answer of a console of ours to this question."""
        good = (_mac(key, b"answer", question.nonce + body) for key in self._keys)
        if not any(hmac.compare_digest(each.encode(), mac.encode(errors="replace")) for each in good):
            return None
        try:
            told = _answers.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        return [_timeline(each) for each in told]


def _timeline(told: _Told) -> Timeline:
    timeline = Timeline(told.submission)
    timeline.steps.extend(Step(event, writer, void) for event, writer, void in told.steps)
    return timeline


def _mac(key: bytes, kind: bytes, body: bytes) -> str:
    return hmac.digest(key, kind + b"\0" + body, "sha256").hex()
