"""Spans to a collector by OTLP: needs the extra `otel`, and is told by OTEL_* variables where to, and how many."""

import logging
import re
from time import time

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from broker_setup.process.spans import About, Step, spans

log = logging.getLogger(__name__)

_KINDS = {Step.SUBMIT: SpanKind.PRODUCER, Step.LEASE: SpanKind.CONSUMER, Step.PUT_RESULT: SpanKind.SERVER}
_NANOSECONDS = 1_000_000_000
_UUID = re.compile("[0-9a-f]{32}")


def send_spans(service: str) -> None:
    """Send this process's spans from now on; OTEL_SERVICE_NAME is its name, or else `service`."""
    resource = Resource.create()
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: service}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    spans.recorder = OtelRecorder(provider)
    log.info("sending spans by OTLP")


class OtelRecorder:
    """Makes spans of what is told: of one trace for each submission, each a child of its submit."""

    def __init__(self, provider: TracerProvider) -> None:
        """Have `provider` make ids by what is told."""
        self._ids = provider.id_generator = _Ids()
        self._sampler = provider.sampler
        self._tracer = provider.get_tracer("xqueue")

    def record(self, step: Step, uuid: str, began: float, about: About, error: str) -> None:
        """Take a span; what is of no submission has none."""
        if not (ids := _ids_of(uuid)):
            return
        self._ids.first = ids if step is Step.SUBMIT else None
        context = None if step is Step.SUBMIT else set_span_in_context(NonRecordingSpan(self._parent(*ids)))
        span = self._tracer.start_span(
            step,
            context,
            kind=_KINDS.get(step, SpanKind.CLIENT),
            attributes={"xqueue.submission": uuid, **about},
            start_time=int(began * _NANOSECONDS),
        )
        if error:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(int(time() * _NANOSECONDS))

    def traceparent(self, uuid: str) -> str:
        """Return the W3C header."""
        if not (ids := _ids_of(uuid)):
            return ""
        return f"00-{uuid}-{uuid[16:]}-{self._parent(*ids).trace_flags:02x}"

    def _parent(self, trace: int, span: int) -> SpanContext:
        # Whether a trace is sampled follows from its id, for all processes of the same settings alike.
        is_sampled = self._sampler.should_sample(None, trace, Step.SUBMIT).decision is Decision.RECORD_AND_SAMPLE
        return SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(int(is_sampled)))


class _Ids(RandomIdGenerator):
    """Gives the first span of a trace the ids that its submission says, and all others random ones."""

    first: tuple[int, int] | None = None

    def generate_trace_id(self) -> int:
        return self.first[0] if self.first else super().generate_trace_id()

    def generate_span_id(self) -> int:
        return self.first[1] if self.first else super().generate_span_id()


def _ids_of(uuid: str) -> tuple[int, int] | None:
    if not _UUID.fullmatch(uuid):
        return None
    span = int(uuid[16:], 16)
    return (int(uuid, 16), span) if span else None
