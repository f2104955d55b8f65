"""A process that grades for us, one submission at a time: it may crash or hang, and is killed and started anew."""

import signal
import traceback
from collections.abc import Callable
from multiprocessing import connection, context
from multiprocessing.connection import Connection
from pickle import PicklingError
from time import monotonic

from xqueue_grader.common.process.child_process import end_with_parent
from xqueue_grader.errors import FunctionFailedError, GraderBrokenError, GradingError
from xqueue_grader.reply import Answer, encoded
from xqueue_grader.submission import Submission

# Spawned: a fork of a process with threads and connections may deadlock, and would hold these connections open.
_CONTEXT = context.SpawnContext()
START_SECONDS = 60.0
# How often a process is looked at that may have died while a child of its own keeps our pipe open.
LOOK_SECONDS = 0.5

_READY = "ready"


class WorkerProcess:
    """Runs `function` in a process of its own; used by one thread at a time."""

    def __init__(self, function: Callable[[Submission], Answer], timeout: float | None) -> None:
        self._function = function
        self._timeout = timeout
        self._process: context.SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._killed = False

    def start(self) -> None:
        """Start the process and wait until it is ready; raise GraderBrokenError where it can't be."""
        self._pipe, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_serve, args=(theirs, self._function), name="grader", daemon=True)
        try:
            self._process.start()
            theirs.close()
            if self._killed:  # meanwhile, by another thread
                self._process.kill()
            ready = self._received(START_SECONDS)
        except EOFError as error:
            why = f'it ended as it began ({self._end()}): is `run` called under `if __name__ == "__main__"`?'
            raise GraderBrokenError(f"no worker process could be started: {why}") from error
        except (GradingError, OSError, PicklingError, AttributeError, TypeError) as error:
            # The last three: a function that has no name to be imported by.
            self._end()
            raise GraderBrokenError(f"no worker process could be started: {error!r}") from error
        assert ready == _READY

    def grade(self, submission: Submission) -> bytes:
        """Have `submission` graded; raise GradingError where the function fails, hangs, or takes the process along."""
        if self._killed:
            raise GraderBrokenError("the grader has been stopped")
        if self._process is None or not self._process.is_alive():
            self._end()
            self.start()
        assert self._pipe is not None
        try:
            self._pipe.send(submission)
            reply = self._received(self._timeout)
        except (EOFError, OSError) as error:
            raise GradingError(f"the worker process died ({self._end()})") from error
        except GradingError:
            self._end()
            raise
        if isinstance(reply, GradingError):
            raise reply
        assert isinstance(reply, bytes)
        return reply

    def kill(self) -> None:
        """End it for good, whatever it is doing."""
        self._killed = True
        if self._process is not None and self._process.is_alive():
            self._process.kill()

    def _received(self, timeout: float | None) -> bytes | GradingError | str:
        """Wait for what it sends; raise EOFError when it has died, GradingError when it takes longer than `timeout`."""
        assert self._process is not None
        assert self._pipe is not None
        deadline = None if timeout is None else monotonic() + timeout
        while not self._pipe.poll():
            if not self._process.is_alive():
                # Its last words may have come in between.
                if self._pipe.poll():
                    break
                raise EOFError
            left = LOOK_SECONDS if deadline is None else min(LOOK_SECONDS, deadline - monotonic())
            if left <= 0:
                raise GradingError(f"the function took longer than {timeout:g} s")
            connection.wait([self._pipe, self._process.sentinel], left)
        received: bytes | GradingError | str = self._pipe.recv()
        return received

    def _end(self) -> str:
        """Kill it, if it still lives, and forget it; say how it ended."""
        process, pipe, self._process, self._pipe = self._process, self._pipe, None, None
        if pipe is not None:
            pipe.close()
        if process is None or process.pid is None:
            return "not started"
        process.kill()
        process.join()
        code = process.exitcode
        return f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"


def _serve(pipe: Connection, function: Callable[[Submission], Answer]) -> None:
    """Be the process: grade what comes until the pipe ends."""
    # A Ctrl-C goes to all processes of a terminal, a service manager's SIGTERM to all of a service; but what is under
    # way here is to be finished. Handlers, because ignoring them would be inherited by the programs that graders run.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    end_with_parent()
    pipe.send(_READY)
    while True:
        try:
            submission = pipe.recv()
        except EOFError:
            return
        pipe.send(_graded(function, submission))


def _graded(function: Callable[[Submission], Answer], submission: Submission) -> bytes | GradingError:
    try:
        return encoded(function(submission))
    except GradingError as error:
        return GradingError(str(error))  # a class of the function's own may be none that pickles
    except BaseException as error:  # noqa: BLE001 - whatever it was, it is told to whoever asked
        return FunctionFailedError(f"the function failed: {error!r}", traceback.format_exc())
