"""Where a submission's way is told as spans: to nobody, unless this process was told whom (otlp_spans.py).

A submission's trace has its uuid for an id, and its first span the uuid's second half. So whoever knows a submission
knows where its spans belong, whatever process and queue it comes from, and an operator finds the trace by the uuid.
"""

from collections.abc import Mapping
from enum import StrEnum
from time import time
from typing import Protocol


class Step(StrEnum):
    """What a span is of."""

    SUBMIT = "submit"  # the first of a trace
    LEASE = "lease"
    PUT_RESULT = "put_result"
    CALLBACK = "callback"


About = Mapping[str, str | int]


class Recorder(Protocol):
    """Takes spans."""

    def record(self, step: Step, uuid: str, began: float, about: About, error: str) -> None:
        """Take a span that `began` then (seconds since the epoch) and ends now; `error` is why it failed, if so."""

    def traceparent(self, uuid: str) -> str:
        """Return the W3C header that makes what follows a part of the trace."""


class Spans:
    """What the code tells of; it costs a comparison while nobody listens."""

    def __init__(self) -> None:
        self.recorder: Recorder | None = None

    def begin(self) -> float:
        """Return when a span begins."""
        return time() if self.recorder else 0.0

    def tell(self, step: Step, uuid: str, began: float, about: About, *, error: str = "") -> None:
        """Tell of a span of the submission that ends now."""
        if self.recorder:
            self.recorder.record(step, uuid, began, about, error)

    def traceparent(self, uuid: str) -> str:
        """Return what a message of the submission has as `traceparent`; "": nothing."""
        return self.recorder.traceparent(uuid) if self.recorder else ""


# Of this process, as its log is.
spans = Spans()
