"""Talks with a program that runs: hands it its input, takes what it writes up to a bound, watches time and memory."""

import contextlib
import os
import selectors
import subprocess
import time
from typing import IO

from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.processes import memory_of
from xqueue_grader.programs.program import End

CHUNK = 64 * 1024
LOOK_SECONDS = 0.1
# What a busy machine may take until a program begins: no student's time.
BEGIN_SECONDS = 60
# Until pipes close whose writers are dead.
DRAIN_SECONDS = 10


class Exchange:
    """One program's pipes; `begun` is where it is said that it begins, `user` whose it is, if another's."""

    def __init__(self, child: subprocess.Popen[bytes], begun: int, limits: Limits, user: int | None) -> None:
        self.child = child
        self.output = bytearray()
        self.errors = bytearray()
        self.has_begun = False
        self.ended_by = End.ITSELF
        self.seconds = 0.0
        self.most_memory = 0
        self._begun = begun
        self._limits = limits
        self._user = user
        self._waits = selectors.DefaultSelector()
        self._unsent = memoryview(b"")

    def hold(self, stdin: bytes) -> None:
        """Go on until the program has ended by itself, or has to be ended."""
        self._unsent = memoryview(stdin)
        started = looked = time.monotonic()
        until = started + BEGIN_SECONDS
        ended = os.pidfd_open(self.child.pid)
        try:
            self._register(ended)
            while True:
                for key, _ in self._waits.select(min(LOOK_SECONDS, max(0.0, until - time.monotonic()))):
                    if key.fd == ended:
                        return
                    if key.fd == self._begun:
                        self._note_begin()
                        if self.has_begun:
                            started = time.monotonic()
                            until = started + self._limits.seconds
                    else:
                        self._move(key.fileobj)  # type: ignore[arg-type]
                now = time.monotonic()
                if now - looked >= LOOK_SECONDS:
                    looked = now
                    self.most_memory = max(self.most_memory, memory_of(self.child.pid, self._user))
                if reason := self._too_much(late=now >= until):
                    self.ended_by = reason
                    return
        finally:
            self.seconds = time.monotonic() - started
            self._waits.unregister(ended)
            os.close(ended)

    def drain(self) -> None:
        """Take what is left in the pipes of a program that is dead."""
        until = time.monotonic() + DRAIN_SECONDS
        if self._begun in self._waits.get_map():
            self._note_begin()
        while self._waits.get_map() and (left := until - time.monotonic()) > 0 and not self._overflows:
            for key, _ in self._waits.select(left):
                if key.fileobj is self.child.stdin:
                    self._close(self.child.stdin)
                elif key.fd == self._begun:
                    self._waits.unregister(self._begun)
                else:
                    self._move(key.fileobj)  # type: ignore[arg-type]
        if self._overflows and self.ended_by is End.ITSELF:
            self.ended_by = End.OUTPUT
        self._waits.close()
        for text in (self.output, self.errors):
            del text[self._limits.output_bytes :]

    def _register(self, ended: int) -> None:
        assert self.child.stdin
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            assert pipe
            os.set_blocking(pipe.fileno(), False)
        self._waits.register(ended, selectors.EVENT_READ)
        self._waits.register(self._begun, selectors.EVENT_READ)
        self._waits.register(self.child.stdin, selectors.EVENT_WRITE)
        for pipe in (self.child.stdout, self.child.stderr):
            self._waits.register(pipe, selectors.EVENT_READ)  # type: ignore[arg-type]

    def _note_begin(self) -> None:
        os.set_blocking(self._begun, False)
        with contextlib.suppress(BlockingIOError):
            self.has_begun = os.read(self._begun, 1) != b""
        self._waits.unregister(self._begun)

    def _too_much(self, *, late: bool) -> End | None:
        if self._overflows:
            return End.OUTPUT
        if self.most_memory > self._limits.memory_bytes:
            return End.MEMORY
        return End.SECONDS if late else None

    @property
    def _overflows(self) -> bool:
        return max(len(self.output), len(self.errors)) > self._limits.output_bytes

    def _move(self, pipe: IO[bytes]) -> None:
        if pipe is self.child.stdin:
            try:
                self._unsent = self._unsent[os.write(pipe.fileno(), self._unsent[:CHUNK]) :]
            except BlockingIOError:
                return
            except BrokenPipeError:
                self._unsent = memoryview(b"")
            if not self._unsent:
                self._close(pipe)
            return
        read = os.read(pipe.fileno(), CHUNK)
        (self.output if pipe is self.child.stdout else self.errors).extend(read)
        if not read:
            self._close(pipe)

    def _close(self, pipe: IO[bytes]) -> None:
        self._waits.unregister(pipe)
        # What it did not take is nobody's any more.
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
