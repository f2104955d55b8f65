"""What a parent makes of its address and of the end of its workers; what it does between is in the acceptance tests."""

import errno
import os
import signal
import socket
import sys
from math import inf
from pathlib import Path

import pytest

from broker_setup.settings import Settings
from gateway.serving import START_FAILED
from gateway.workers import supervisor
from gateway.workers.crew import Crew
from gateway.workers.tally import Tally


async def test_it_has_the_port_before_anybody_listens_there() -> None:
    [bound] = await supervisor._bound("127.0.0.1", 0)
    with bound, socket.socket() as client, pytest.raises(ConnectionRefusedError):
        client.connect(bound.getsockname())


def test_a_port_that_is_taken_ends_it_as_it_ends_one_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "log_to_stderr", lambda *_, **__: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert supervisor.supervise(Settings(port=taken.getsockname()[1], workers=2)) == START_FAILED


@pytest.mark.parametrize(("code", "ends_with"), [(0, 0), (1, 1), (-signal.SIGKILL, 137), (-signal.SIGTERM, 0)])
def test_it_ends_as_its_workers_did_or_with_a_code_where_it_survives_that(
    code: int, ends_with: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert supervisor._ended_with(code) == ends_with
    finally:
        signal.signal(signal.SIGTERM, before)
    assert sent == ([(os.getpid(), -code)] if code < 0 else [])


def test_a_worker_takes_modules_from_the_working_directory_only_where_its_parent_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "path", [str(Path.cwd()), "/elsewhere"])
    assert supervisor._python_options() == []
    monkeypatch.setattr(sys, "path", ["/elsewhere"])
    assert supervisor._python_options() == ["-P"]


def test_what_the_machine_can_not_start_now_does_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def posix_spawn(*_: object, **__: object) -> int:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", posix_spawn)
    crew = Crew(1)
    parent = supervisor._Parent(crew, 1, [], Tally())
    with parent._signals, parent._woken, parent._selector:
        parent._do(crew.begin())
    assert crew.next_look() < inf
