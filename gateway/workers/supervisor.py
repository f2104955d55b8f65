"""The parent of several workers: it holds the port and does what `crew.py` decides, and nothing else."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from functools import partial
from math import inf
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic

from broker_setup.errors import SettingsError
from broker_setup.process.logs import log_to_stderr
from broker_setup.settings import Settings
from gateway.serving import START_FAILED
from gateway.workers.actions import Action, End, Open, Retire, Say, Send, Start
from gateway.workers.crew import Crew
from gateway.workers.showing import show
from gateway.workers.tally import Tally
from gateway.workers.words import OPEN, READY, RETIRE, SERVING

log = logging.getLogger(__name__)

# Python runs no handler while it waits for what can be read; each signal is a byte here instead.
_HEARD = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
# Longer than the most that workers say.
_MUCH = 64
# What is more could not be sent.
_LONGEST_REPORT = 256 * 1024


def supervise(settings: Settings) -> int:
    """Run so many workers as WORKERS says until told to stop; return the exit code."""
    log_to_stderr(settings.log_level, settings.log_format, is_shared=True)
    try:
        sockets = asyncio.run(_bound(settings.host, settings.port))
    except OSError as error:
        log.error("%s", error)  # noqa: TRY400 - a port that is taken needs no traceback
        return START_FAILED
    tally = Tally()
    try:
        show(settings, tally)
    except SettingsError as error:
        sys.exit(f"xqueue-gateway: {error}")
    at = ", ".join("{}:{}".format(*taken.getsockname()) for taken in sockets)
    log.info("%d workers serve %s", settings.workers, at)
    return _ended_with(
        _Parent(
            Crew(settings.workers, settings.stop_delay + settings.stop_time), settings.workers, sockets, tally
        ).run()
    )


async def _bound(host: str, port: int) -> list[socket.socket]:
    """Return sockets that are bound to what one gateway would listen on; the first worker listens."""
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, port, start_serving=False)
    try:
        return [socket.socket(fileno=os.dup(taken.fileno())) for taken in server.sockets]
    finally:
        server.close()


def _ended_with(code: int) -> int:
    """Die of the signal that ended the workers, as one gateway does, or return the exit code."""
    if code >= 0:
        return code
    if -code not in {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    # The first process of a container survives signals that it does not handle; one gateway then ends with 0 as well.
    return 0 if code == -signal.SIGTERM else 128 - code


class _Parent:
    def __init__(self, crew: Crew, count: int, sockets: list[socket.socket], tally: Tally) -> None:
        self._crew = crew
        self._count = count
        self._sockets = sockets
        self._tally = tally
        self._lines: dict[int, socket.socket] = {}
        self._reports: dict[int, socket.socket] = {}
        self._selector = DefaultSelector()
        self._signals, self._woken = socket.socketpair()
        self._code: int | None = None

    def run(self) -> int:
        """Look after the workers until none is left; return what to end with."""
        for each in (self._signals, self._woken):
            each.setblocking(False)
        self._selector.register(self._signals, EVENT_READ, self._read_signals)
        signal.set_wakeup_fd(self._woken.fileno(), warn_on_full_buffer=False)
        for number in _HEARD:
            signal.signal(number, _noted)
        self._do(self._crew.begin())
        while self._code is None:
            due = self._crew.next_look()
            for key, _ in self._selector.select(None if due == inf else max(0.0, due - monotonic())):
                key.data()
            self._reap()
            self._do(self._crew.look(monotonic()))
        return self._code

    def _read_signals(self) -> None:
        for number in self._signals.recv(_MUCH):
            if number == signal.SIGHUP:
                self._do(self._crew.hang_up())
            elif number in {signal.SIGTERM, signal.SIGINT}:
                self._do(self._crew.stop(signal.Signals(number), monotonic()))

    def _read_line(self, pid: int) -> None:
        said = b""
        with suppress(ConnectionError):
            said = self._lines[pid].recv(_MUCH)
        if not said:
            self._selector.unregister(self._lines[pid])
        else:
            self._crew.lives(pid, monotonic())
        if SERVING in said:
            self._do(self._crew.serves(pid))
        if READY in said:
            self._do(self._crew.is_ready(pid, monotonic()))

    def _read_reports(self, pid: int) -> None:
        with suppress(BlockingIOError, ConnectionError):
            while report := self._reports[pid].recv(_LONGEST_REPORT):
                self._tally.heard(pid, report, monotonic())

    def _reap(self) -> None:
        """Take in whoever has ended; as a container's first process also what ended workers have left behind."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    return
                if line := self._lines.pop(pid, None):
                    with suppress(KeyError):
                        self._selector.unregister(line)
                    line.close()
                    self._forget_reports(pid)
                    self._do(self._crew.ended(pid, os.waitstatus_to_exitcode(status), monotonic()))

    def _forget_reports(self, pid: int) -> None:
        self._read_reports(pid)
        self._tally.ended(pid)
        reports = self._reports.pop(pid)
        self._selector.unregister(reports)
        reports.close()

    def _do(self, actions: Iterable[Action]) -> None:
        for action in list(actions):
            match action:
                case Start():
                    self._start(action)
                case Open(pid):
                    self._tell(pid, OPEN)
                case Retire(pid):
                    self._tell(pid, RETIRE)
                case Send(pid, number):
                    os.kill(pid, number)
                case Say(text, is_bad):
                    log.log(logging.WARNING if is_bad else logging.INFO, "%s", text)
                case End(code):
                    self._code = code

    def _tell(self, pid: int, word: bytes) -> None:
        # One that has just ended has no ears; that is noticed elsewhere.
        with suppress(OSError):
            self._lines[pid].send(word)

    def _start(self, start: Start) -> None:
        try:
            pid, line, reports = self._spawned(start.number)
        except OSError as error:
            self._do(self._crew.not_started(start, str(error), monotonic()))
            return
        self._lines[pid] = line
        self._selector.register(line, EVENT_READ, partial(self._read_line, pid))
        self._reports[pid] = reports
        self._selector.register(reports, EVENT_READ, partial(self._read_reports, pid))
        log.info("worker %d is process %d", start.number, pid)
        self._do(self._crew.started(start, pid, monotonic()))

    def _spawned(self, number: int) -> tuple[int, socket.socket, socket.socket]:
        """Start a process; return its id, our end of the line to it, and where its reports come."""
        ours, its = socket.socketpair()
        reports, its_reports = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with ExitStack() as unless_started, its, its_reports:
            unless_started.callback(ours.close)
            unless_started.callback(reports.close)
            inherited = [its.fileno(), its_reports.fileno(), *(taken.fileno() for taken in self._sockets)]
            for each in inherited:
                os.set_inheritable(each, True)
            arguments = [*inherited[:2], number, self._count, *inherited[2:]]
            # A group of its own: a terminal's Ctrl-C and hang-up are for us, who tell the workers.
            pid = os.posix_spawn(
                sys.executable,
                [sys.executable, *_python_options(), "-m", "gateway.workers", *map(str, arguments)],
                os.environ,  # noqa: TID251 - a worker reads it itself
                setpgroup=0,
            )
            unless_started.pop_all()
        ours.setblocking(False)
        reports.setblocking(False)
        return pid, ours, reports


def _python_options() -> list[str]:
    """Have a worker import what we did: from the working directory only if we do."""
    return [] if str(Path.cwd()) in sys.path else ["-P"]


def _noted(_signal: int, _frame: object) -> None:
    """Do nothing; a signal without a handler would not be noted."""
