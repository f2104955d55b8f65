"""Runs a program once, in an isolation, and comes back when nothing of it is left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

from xqueue_grader.programs import users
from xqueue_grader.programs.exchange import Exchange
from xqueue_grader.programs.isolating import Isolation
from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.placing import give, placed
from xqueue_grader.programs.program import End, IsolationError, Program, Ran

LIMITING = Path(__file__).with_name("limiting.py")
CONTAINERS_OWN = 125  # the exit code of an engine that could not start one


def run(program: Program, limits: Limits, isolation: Isolation, stdin: bytes = b"") -> Ran:
    """Run it, with what it reads; raise IsolationError where it could not begin, or something of it is left.

    It blocks for as long as the program may run, and little longer: right for a thread or a process of a grader.
    """
    name = f"xqueue-program-{uuid.uuid4().hex}"
    with contextlib.ExitStack() as stack:
        user = None
        folder = stack.enter_context(placed(program.files))
        if os.geteuid() == 0 and not isolation.limits_itself:
            user = stack.enter_context(users.borrowed())
            give(folder, user)
        command = isolation.argv(program.command, folder, sorted(program.files), limits, name)
        with started(command, folder, isolation.rlimits(limits), isolation, user=user, name=name) as (child, begun):
            exchange = Exchange(child, begun, limits, user)
            exchange.hold(stdin)
            end(child)
            if user is not None:
                users.end_all(user, surely=True)
            isolation.stop(name)
            exchange.drain()
        return judged(exchange, isolation)


@contextlib.contextmanager
def started(
    command: list[str], folder: Path, rlimits: dict[str, int], isolation: Isolation, *, user: int | None, name: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start it, and end it whatever happens; gives the process and where it says that the program begins."""
    reading, writing = os.pipe()
    try:
        order = {
            "begun": writing, "user": user, "parent": os.getpid(), "rlimits": rlimits,
        }  # fmt: skip
        shim = [] if isolation.limits_itself else [sys.executable, "-I", "-S", str(LIMITING), json.dumps(order)]
        if isolation.limits_itself:
            os.write(writing, b"b")
        child = subprocess.Popen(
            [*shim, *command],
            cwd=folder,
            env=isolation.environment(folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=() if isolation.limits_itself else (writing,),
            start_new_session=True,
        )
    except OSError as error:
        os.close(reading)
        raise IsolationError(f"{command[0]} could not be started: {error}") from error
    finally:
        os.close(writing)
    try:
        with child:
            try:
                yield child, reading
            except BaseException:
                end(child)
                isolation.stop(name)
                raise
    finally:
        os.close(reading)


def end(child: subprocess.Popen[bytes]) -> None:
    """Kill a process and its group."""
    # Its number is its own as long as nobody waited for it, so nobody else's group is hit.
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def judged(exchange: Exchange, isolation: Isolation) -> Ran:
    """Say how it ended; raise IsolationError where that is not the program's doing."""
    code = exchange.child.returncode
    code = code if code >= 0 else 128 - code
    if not exchange.has_begun or (isolation.limits_itself and code == CONTAINERS_OWN):
        said = exchange.errors.decode(errors="replace").strip()[-500:]
        raise IsolationError(f"{isolation.name} did not start the program: {said or f'exit code {code}'}")
    found = exchange.ended_by
    if found is End.ITSELF and code == 128 + signal.SIGXCPU:
        found = End.CPU
    return Ran(
        found, code, bytes(exchange.output), bytes(exchange.errors), exchange.seconds, exchange.most_memory
    )  # fmt: skip
