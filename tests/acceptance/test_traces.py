"""A submission's trace, as a collector gets it by OTLP from gateway and relay."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pika
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from broker_setup.link.blocking import connect
from broker_setup.topology import submissions_queue
from tests.acceptance.conftest import running_stack
from tests.support.broker import VHost
from tests.support.gateway import Client
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    def __init__(self) -> None:
        self.url = ""
        self.spans: list[tuple[str, Span]] = []

    async def take(self, request: web.Request) -> web.Response:
        exported = ExportTraceServiceRequest.FromString(await request.read())
        for resource in exported.resource_spans:
            [service] = [each for each in resource.resource.attributes if each.key == "service.name"]
            for scope in resource.scope_spans:
                self.spans += [(service.value.string_value, span) for span in scope.spans]
        return web.Response(content_type="application/x-protobuf")

    def steps(self) -> set[tuple[str, str]]:
        return {(service, span.name) for service, span in self.spans}


@contextlib.asynccontextmanager
async def collector() -> AsyncIterator[Collector]:
    """Run what takes spans, as a collector does."""
    made, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()


def look(amqp_url: str) -> pika.BasicProperties:
    """Look at the submission that waits, and leave it there."""
    with connect(amqp_url) as connection:
        _, properties, _ = connection.channel().basic_get(submissions_queue("openedx"))
        assert properties
        return properties


async def test_a_submission_is_one_trace_from_its_submit_to_its_callback(
    vhost: VHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with collector() as collecting:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collecting.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")
        async with running_stack(vhost.amqp_url, tmp_path) as stack, stack.relay():
            header = stack.lms.header("key", path="/hook")
            with Client(stack.gateway.url) as client:
                await asyncio.to_thread(client.submit, header, "work")
                properties = await asyncio.to_thread(look, vhost.amqp_url)
                taken = await asyncio.to_thread(client.get_one)
                await asyncio.to_thread(client.put, taken["xqueue_header"], "{}")
            await stack.lms.wait_accepted(1)
            wanted = {("xqueue-gateway", "submit"), ("xqueue-gateway", "lease"), ("xqueue-gateway", "put_result")}
            await eventually(lambda: collecting.steps() == wanted | {("xqueue-relay", "callback")})
    uuid = properties.correlation_id
    assert {span.trace_id.hex() for _, span in collecting.spans} == {uuid}
    [submit] = [span for _, span in collecting.spans if span.name == "submit"]
    assert {span.parent_span_id for _, span in collecting.spans} == {b"", submit.span_id}
    assert properties.headers
    assert properties.headers["traceparent"] == f"00-{uuid}-{submit.span_id.hex()}-01"
