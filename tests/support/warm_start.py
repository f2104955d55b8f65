"""Our programs without a second of imports for each start: a process that has them all forks, and the fork runs one.

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
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

COMMANDS = "broker_setup"
PROGRAMS = (COMMANDS, "gateway", "gateway.passive", "gateway.upstream", "gateway.console", "callback_relay")
LATE = {COMMANDS: "operator.command_line"}
SECONDS = 120.0

_others: list[Path] = []  # servers of other processes, for us to use
_codes: list[int] = []  # what the program in this fork ended with


class WarmProcess:
    """One process that runs a program with nothing but `environment`; it ends with this process at the latest.

    It is used as a `subprocess.Popen` is.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        streams: Sequence[Path],
        *,
        code: Path | None = None,
    ) -> None:
        """Start it; `streams` are the files of its standard input, output and error.

        `code` is a folder with another version of the programs.
        """
        self.arguments = [program, *arguments]
        for stream in streams[1:]:
            stream.touch()
        self.returncode: int | None = None
        self._connection = _connected(start(code) if code else server())
        request = {
            "program": program,
            "arguments": [*arguments],
            "environment": {**environment},
            "streams": [str(stream.absolute()) for stream in streams],
            "folder": str(code or Path.cwd()),
        }
        try:
            self._connection.sendall(json.dumps(request).encode() + b"\n")
            self._answers = self._connection.makefile()
            self.pid = int(self._answers.readline())
        except BaseException:  # given up while it starts: a socket left open is another test's warning
            self._connection.close()
            raise

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


def use(path: Path) -> None:
    """Take the server that another process has started; it ends with that one."""
    _others.append(path)


def server() -> Path:
    """Return the path of the server's socket."""
    return _others[-1] if _others else start()


@cache
def start(code: Path | None = None) -> Path:
    """Start this process's server, which ends with it, and return the path of its socket: it is there in a moment.

    `code` is a folder with another version of the programs, for a server of its own.
    """
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "socket")
    command, environment = [sys.executable, "-m", __name__, str(path)], None
    if code:
        # Of this version it finds nothing: not its folder, nor that of this file.
        command, environment = [sys.executable, "-P", __file__, str(path)], os.environ | {"PYTHONPATH": str(code)}
    # Its standard input is what ends it, whatever becomes of us.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=code, env=environment)

    def end() -> None:
        assert process.stdin
        process.stdin.close()
        process.wait()
        folder.cleanup()

    atexit.register(end)
    return path


def _connected(path: Path) -> socket.socket:
    """Connect to the server, which listens when it has imported everything."""
    deadline = time.monotonic() + SECONDS
    while True:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(SECONDS)
        try:
            connection.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return connection


def _serve(path: str) -> tuple[str, list[str]]:
    """Fork for each request until standard input ends; return in the fork the program and arguments to run there."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        while listener in select.select([listener, sys.stdin], [], [])[0]:
            connection, _ = listener.accept()
            with connection:
                # One fork waits for the other, so that programs can run side by side.
                if os.fork() == 0:
                    listener.close()
                    return _watched(connection)
            _reap()
    sys.exit()


def _watched(connection: socket.socket) -> tuple[str, list[str]]:
    with connection.makefile() as requests:
        request = json.loads(requests.readline())
    pid = os.fork()
    if pid == 0:
        connection.close()
        _become(request)
        return request["program"], [*request["arguments"]]
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


def _import() -> None:
    for program in PROGRAMS:
        if not find_spec(program):
            continue  # an earlier version has fewer
        __import__(f"{program}.__main__")
        del sys.modules[f"{program}.__main__"]  # it is run as the main module, not imported
        # An earlier version has it elsewhere, or no such thing.
        with contextlib.suppress(ModuleNotFoundError):
            __import__(
                f"{program}.{LATE.get(program, 'starting')}"
            )  # all that it is, which its main module imports late


def _run(program: str) -> None:
    """Run it as `python -m` does, up to the exit; what Python does then is half of what a command takes: see _leave."""
    try:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is not None and not isinstance(end.code, int):
            raise
        _codes.append(end.code or 0)
    else:
        _codes.append(0)


def _leave() -> None:
    """Leave without taking apart, module by module, what was imported; as the last of what is to be done at exit."""
    if _codes:
        gc.collect()  # whatever has something to say when it goes
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(_codes[-1])


if __name__ == "__main__":
    atexit.register(_leave)  # before all others: the last one that is called
    _path = sys.argv[1]
    _import()
    gc.freeze()  # a fork that ends need not go through all of that once more, which takes it five times as long
    _program, sys.argv[1:] = _serve(_path)
    _run(_program)
