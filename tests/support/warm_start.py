"""`xqueue-broker` without a second of imports for each command: a process that has them forks, and the fork runs it.

What runs is the program as `python -m broker_setup` has it, in a process of its own: arguments, environment, streams
and exit code are real. `warm_run` is for tests; run as a script, this is the process that forks.
"""

import atexit
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
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

PROGRAM = "broker_setup"
SECONDS = 120.0


def warm_run(
    arguments: Sequence[str], environment: Mapping[str, str], typed: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, with nothing but `environment`, and return what it printed and its exit code."""
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX) as connection:
        folder = Path(name)
        (folder / "0").write_text(typed or "")
        connection.settimeout(SECONDS)
        connection.connect(str(_server()))
        request = {"arguments": [*arguments], "environment": {**environment}, "folder": name}
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile() as answers:
            pid = int(answers.readline())
            try:
                code = int(answers.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([*arguments], SECONDS) from None
        return subprocess.CompletedProcess([*arguments], code, (folder / "1").read_text(), (folder / "2").read_text())


@cache
def _server() -> Path:
    """Start this process's server and return the path of its socket; it ends with this process."""
    folder = tempfile.TemporaryDirectory()
    path = Path(folder.name, "socket")
    # Its standard input is what ends it, whatever becomes of us.
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert server.stdout
    assert server.stdout.readline() == b"ready\n", "the server of commands did not start"

    def end() -> None:
        server.communicate()
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
                # One fork waits for the other, so that commands can run side by side.
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
        _become(request["environment"], Path(request["folder"]))
        return [*request["arguments"]]
    connection.sendall(f"{pid}\n".encode())
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    connection.sendall(f"{code}\n".encode())
    os._exit(0)


def _become(environment: Mapping[str, str], folder: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT)):
        opened = os.open(folder / str(number), flags)
        os.dup2(opened, number)
        os.close(opened)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    __import__(f"{PROGRAM}.__main__")
    del sys.modules[f"{PROGRAM}.__main__"]  # it is run as the main module, not imported
    gc.freeze()  # a fork that ends need not go through all of that once more, which takes it five times as long
    sys.argv[1:] = _serve(sys.argv[1])
    runpy.run_module(PROGRAM, run_name="__main__", alter_sys=True)
