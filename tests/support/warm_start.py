"""Our programs without a second of imports for each start: a process that has a program forks, and the fork runs it.

What runs is the program as `python -m` has it, in a process of its own: arguments, environment, streams, signals and
exit code are real. `WarmProcess` and `warm_run` are for tests; run as a script, this is the process that forks.
"""

import atexit
import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

COMMANDS = "broker_setup"
PROGRAMS = (COMMANDS, "gateway", "gateway.passive", "callback_relay")
SECONDS = 120.0


class WarmProcess:
    """One process that runs a program with nothing but `environment`; it ends with this process at the latest.

    It is used as a `subprocess.Popen` is.
    """

    def __init__(
        self, program: str, arguments: Sequence[str], environment: Mapping[str, str], streams: Sequence[Path]
    ) -> None:
        """Start it; `streams` are the files of its standard input, output and error."""
        self.arguments = [program, *arguments]
        for stream in streams[1:]:
            stream.touch()
        self.returncode: int | None = None
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.settimeout(SECONDS)
        self._connection.connect(str(_server(program)))
        request = {
            "arguments": [*arguments],
            "environment": {**environment},
            "streams": [str(stream.absolute()) for stream in streams],
            "folder": str(Path.cwd()),
        }
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        self._answers = self._connection.makefile()
        self.pid = int(self._answers.readline())

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float) -> int:
        """Return its exit code once it has ended."""
        code = self._ended(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(self.arguments, timeout)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, within: float) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], within)[0]:
            self.returncode = int(self._answers.readline())
            self._answers.close()
            self._connection.close()
        return self.returncode


def warm_run(
    arguments: Sequence[str], environment: Mapping[str, str], typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of `xqueue-broker` to its end and return what it printed and its exit code."""
    with tempfile.TemporaryDirectory() as folder:
        streams = [Path(folder, name) for name in ("in", "out", "err")]
        streams[0].write_text(typed or "")
        process = WarmProcess(COMMANDS, arguments, environment, streams)
        try:
            code = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess([*arguments], code, streams[1].read_text(), streams[2].read_text())


@cache
def _server(program: str) -> Path:
    """Start this process's server of a program and return the path of its socket; it ends with this process."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "socket")
    # Its standard input is what ends it, whatever becomes of us.
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, program, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout
    assert server.stdout.readline() == b"ready\n", f"the server of {program} did not start"

    def end() -> None:
        assert server.stdin
        server.stdin.close()
        server.wait()
        folder.cleanup()

    atexit.register(end)
    return path


def _serve(path: str) -> list[str]:
    """Fork for each request until standard input ends; return in the fork, to run the arguments that are returned."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(8)
        print("ready", flush=True)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                # One fork waits for the other, so that programs can run side by side.
                if os.fork() == 0:
                    listener.close()
                    return _watched(connection)
            _reap()
    sys.exit()


def _watched(connection: socket.socket) -> list[str]:
    with connection.makefile() as requests:
        request = json.loads(requests.readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(request)
        return [*request["arguments"]]
    connection.sendall(f"{pid}\n".encode())
    ended = threading.Event()
    threading.Thread(target=_kill_with, args=(connection, pid, ended), daemon=True).start()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    ended.set()
    connection.sendall(f"{code}\n".encode())
    os._exit(0)


def _kill_with(connection: socket.socket, pid: int, ended: threading.Event) -> None:
    """Kill the process when whoever asked for it is gone."""
    with contextlib.suppress(ConnectionError):
        connection.recv(1)
    if not ended.is_set():
        os.kill(pid, signal.SIGKILL)


def _become(request: Mapping[str, Any]) -> None:
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for number, (stream, mode) in enumerate(zip(request["streams"], modes, strict=True)):
        opened = os.open(stream, mode, 0o666)
        os.dup2(opened, number)
        os.close(opened)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    _program, _path = sys.argv[1:]
    __import__(f"{_program}.__main__")
    del sys.modules[f"{_program}.__main__"]  # it is run as the main module, not imported
    if _program != COMMANDS:
        __import__(f"{_program}.starting")  # all that a service is, which its main module imports late
    gc.freeze()  # a fork that ends need not go through all of that once more, which takes it five times as long
    sys.argv[1:] = _serve(_path)
    runpy.run_module(_program, run_name="__main__", alter_sys=True)
