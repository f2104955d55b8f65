"""The sandbox as tests use it: start it, submit, have a grader work at its URL, and look at what came."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from threading import Thread
from typing import Any, Self

from xqueue_grader.common.wire.replies import check_strictly
from xqueue_grader.options import Options
from xqueue_grader.pools import Grade
from xqueue_grader.sandbox.beside import grading_beside
from xqueue_grader.sandbox.calls import Calls
from xqueue_grader.sandbox.desk import Desk, Graded
from xqueue_grader.sandbox.kinds import Kind
from xqueue_grader.sandbox.serving import LOOPBACK, SandboxServer
from xqueue_grader.sandbox.trouble import Trouble

USER, PASSWORD = "grader", "sandbox"


class Sandbox:
    """A server in this process, on a free port of 127.0.0.1, for as long as the `with` block runs."""

    def __init__(
        self,
        queues: Sequence[str] = ("openedx",),
        *,
        kind: Kind = Kind.XQUEUE,
        lease_seconds: float = 60.0,
        cap_seconds: float = 3600.0,
        validate: bool = True,
        port: int = 0,
        said: Any = None,
    ) -> None:
        """Build it; nothing is opened yet.

        A lease runs for `lease_seconds`, extended for `cap_seconds` at most. With `validate`, replies that Open edX
        would not take are refused, as XQueue does and the other kinds don't. `said` is called with a line of each call.
        """
        self.kind = kind
        self.queues = tuple(queues)
        self._desk = Desk(self.queues, kind, lease_seconds, cap_seconds)
        wrong = _wrong_with if validate and kind is Kind.XQUEUE else _nothing_wrong
        self._calls = Calls(self._desk, kind, wrong)
        self._port = port
        self._said = said or _quietly
        self._server: SandboxServer | None = None
        self._thread: Thread | None = None

    @property
    def url(self) -> str:
        """Where a grader takes its work, account and all: give it to `run(grade, ..., url=...)`."""
        return f"http://{USER}:{PASSWORD}@{LOOPBACK}:{self._open_server.server_port}/xqueue"

    @property
    def address(self) -> str:
        """The same without the account."""
        return f"http://{LOOPBACK}:{self._open_server.server_port}/xqueue"

    def start(self) -> None:
        """Serve from now on."""
        self._server = SandboxServer(self._port, self._calls, self.kind, (USER, PASSWORD), self._said)
        self._port = self._server.server_port  # the same one when it is started again
        serve = self._server.serve_forever
        self._thread = Thread(target=serve, kwargs={"poll_interval": 0.05}, name="sandbox", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more; what it knows stays, and `start` serves it again, at the same port."""
        if self._server and self._thread:
            self._server.closing = True
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def graded_by(self, grade: Grade, options: Options | None = None) -> AbstractContextManager[None]:
        """Have a function grade the submissions of all queues while a `with` block runs, in threads of its own."""
        return grading_beside(self.url, self.queues, grade, options)

    def submit(
        self,
        student_response: str = "",
        *,
        grader_payload: str = "",
        body: str | None = None,
        files: Mapping[str, str] | None = None,
        queue: str | None = None,
    ) -> int:
        """Put a submission into a queue, the first unless named; return its id. `body` is in place of the two texts."""
        if body is None:
            body = json.dumps({"student_response": student_response, "grader_payload": grader_payload})
        return self._desk.submit(queue or self.queues[0], body, files or {})

    def wait(self, number: int, seconds: float = 30.0) -> Graded:
        """Return a submission once it is graded; raise TimeoutError, which says how it stands."""
        if not self._desk.wait_for(lambda: bool(self._desk.look(number).replies), seconds):
            raise TimeoutError(f"no result in {seconds:g} s: {self._desk.look(number)}")
        return self._desk.look(number)

    def look(self, number: int) -> Graded:
        """Say how a submission stands; raise KeyError."""
        return self._desk.look(number)

    def all(self) -> list[Graded]:
        """Say how each submission stands, the oldest first."""
        return self._desk.all()

    def waiting(self, queue: str | None = None) -> int:
        """Count the submissions of a queue, the first unless named, that no grader has."""
        return self._desk.waiting(queue or self.queues[0])

    def trouble(self, call: str, trouble: Trouble, times: int = 1) -> None:
        """Have the next `times` calls of that name, such as put_result, meet `trouble`."""
        self._open_server.troubles.add(call, trouble, times)

    def end_sessions(self) -> None:
        """Forget who has logged in."""
        self._open_server.sessions.clear()

    @property
    def _open_server(self) -> SandboxServer:
        if self._server is None:
            raise RuntimeError("the sandbox has not been started: use it in a `with` block")
        return self._server


def _wrong_with(reply: str) -> str:
    return check_strictly(reply.encode(errors="replace")).wrong


def _nothing_wrong(reply: str) -> str:
    return ""


def _quietly(line: str) -> None:
    pass
