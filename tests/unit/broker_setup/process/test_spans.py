"""Spans of a submission: one trace, whichever process tells of it; and nothing where nobody asked."""

import time

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode

from broker_setup.process.otlp_spans import OtelRecorder
from broker_setup.process.spans import Spans, Step
from broker_setup.settings.loading import asks_for_spans
from broker_setup.wire.properties import new_uuid, traceparent_of
from tests.support.grading import delivered

UUID = "0123456789abcdef0123456789abcdef"
ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def listened_to(share: float = 1.0) -> tuple[Spans, InMemorySpanExporter]:
    provider, exporter = TracerProvider(sampler=ParentBased(TraceIdRatioBased(share))), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    spans = Spans()
    spans.recorder = OtelRecorder(provider)
    return spans, exporter


def traces_of(exporter: InMemorySpanExporter) -> list[int]:
    return [span.context.trace_id for span in exporter.get_finished_spans() if span.context]


def test_all_steps_of_a_submission_are_one_trace_whichever_processes_tell_of_them() -> None:
    gateway, at_gateway = listened_to()
    relay, at_relay = listened_to()
    began = gateway.begin()
    assert gateway.traceparent(UUID) == f"00-{UUID}-{UUID[16:]}-01"
    gateway.tell(Step.SUBMIT, UUID, began, {"xqueue.queue": "openedx"})
    gateway.tell(Step.LEASE, UUID, began, {"xqueue.attempt": 2})
    relay.tell(Step.CALLBACK, UUID, began, {"http.response.status_code": 502}, error="failed")
    submit, lease = at_gateway.get_finished_spans()
    [callback] = at_relay.get_finished_spans()
    assert {*traces_of(at_gateway), *traces_of(at_relay)} == {int(UUID, 16)}
    assert submit.parent is None
    assert submit.context
    for span in (lease, callback):
        assert span.parent
        assert span.parent.span_id == submit.context.span_id == int(UUID[16:], 16)
        assert span.context
        assert span.context.span_id != submit.context.span_id
    assert (submit.kind, lease.kind, callback.kind) == (SpanKind.PRODUCER, SpanKind.CONSUMER, SpanKind.CLIENT)
    assert dict(lease.attributes or {}) == {"xqueue.submission": UUID, "xqueue.attempt": 2}
    assert (callback.status.status_code, callback.status.description) == (StatusCode.ERROR, "failed")
    assert submit.start_time == int(began * 1e9)
    assert (submit.end_time or 0) >= submit.start_time


def test_of_a_share_of_traces_each_process_takes_the_same_ones() -> None:
    gateway, at_gateway = listened_to(0.5)
    relay, at_relay = listened_to(0.5)
    for uuid in (new_uuid() for _ in range(40)):
        gateway.tell(Step.SUBMIT, uuid, 1.0, {})
        relay.tell(Step.CALLBACK, uuid, 1.0, {})
        assert gateway.traceparent(uuid).endswith("-01" if int(uuid, 16) in traces_of(at_gateway) else "-00")
    assert traces_of(at_gateway) == traces_of(at_relay)
    assert 0 < len(at_relay.get_finished_spans()) < 40


def test_what_is_of_no_submission_has_no_span() -> None:
    spans, exporter = listened_to()
    for name in ("", "x" * 32, "0" * 32, "ab" * 15, "-" + "1" * 31):
        spans.tell(Step.CALLBACK, name, 1.0, {})
        assert spans.traceparent(name) == ""
    assert exporter.get_finished_spans() == ()


def test_where_nobody_asked_nothing_is_told_and_that_costs_less_than_a_microsecond() -> None:
    spans = Spans()
    assert (spans.begin(), spans.traceparent(UUID)) == (0.0, "")

    def cost() -> float:
        began = time.process_time()
        for _ in range(10_000):
            spans.tell(Step.SUBMIT, UUID, spans.begin(), {"xqueue.queue": "openedx"})
        return (time.process_time() - began) / 10_000

    assert min(cost() for _ in range(5)) < 5e-6


@pytest.mark.parametrize(
    ("variables", "asked"),
    [
        ({}, False),
        (ENDPOINT, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        (ENDPOINT | {"OTEL_TRACES_EXPORTER": "none"}, False),
        (ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_SERVICE_NAME": "xqueue"}, False),
    ],
)
def test_it_is_opentelemetrys_variables_that_ask(
    variables: dict[str, str],
    asked: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert asks_for_spans() is asked


@pytest.mark.parametrize("written", [None, 5, "", "00-" + UUID, f"00-{UUID}-{UUID[16:]}-01\r\nEvil: yes", "x" * 9999])
def test_what_is_no_traceparent_goes_nowhere(written: object) -> None:
    spans, _ = listened_to()
    headers = {} if written is None else {"traceparent": written}
    assert traceparent_of(delivered(headers=headers)) == ""
    good = spans.traceparent(UUID)
    assert traceparent_of(delivered(headers={"traceparent": good})) == good
