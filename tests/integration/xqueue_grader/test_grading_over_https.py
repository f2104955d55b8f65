"""A function grades over TLS, by authorities of one's own, and says why where a certificate is not trusted."""

import asyncio
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.certificates import make_certificate, server_tls
from tests.support.waiting import PATIENCE_SECONDS, eventually
from xqueue_grader import Answer, Grader, Submission, reply
from xqueue_grader.sandbox import Sandbox


def echo(submission: Submission) -> Answer:
    return reply(correct=True, score=1, text=submission.student_response)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return make_certificate(tmp_path)


@pytest.fixture
def sandbox(certificate: Path) -> Iterator[Sandbox]:
    """A server whose socket has been put behind TLS."""
    context = server_tls(certificate)
    with Sandbox() as sandbox:
        server = sandbox._open_server
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        yield sandbox


async def test_a_grader_trusts_authorities_of_its_own_and_stops_at_once(sandbox: Sandbox, certificate: Path) -> None:
    url = sandbox.url.replace("http:", "https:")
    grader = Grader(f"{url}?cafile={certificate}", ["openedx"], echo)
    running = asyncio.create_task(grader.run())
    result = await asyncio.to_thread(sandbox.wait, sandbox.submit("Hello"), PATIENCE_SECONDS)
    assert len(result.replies) == 1
    began = time.monotonic()
    grader.stop()
    await running
    assert time.monotonic() - began < 15  # a poll that is not cut off takes 25 s


async def test_a_certificate_that_is_not_trusted_is_said_to_be_that(
    sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    grader = Grader(sandbox.url.replace("http:", "https:"), ["openedx"], echo)
    running = asyncio.create_task(grader.run())
    await eventually(lambda: "certificate is" in caplog.text)
    grader.stop()
    await running
    assert "sandbox@" not in caplog.text
