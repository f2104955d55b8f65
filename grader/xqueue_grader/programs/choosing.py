"""Chooses the isolation that works on this machine, by trying it, and says what it does not contain."""

import ctypes
import logging
import os

from xqueue_grader.programs import bubblewrap
from xqueue_grader.programs.bubblewrap import Bubblewrap
from xqueue_grader.programs.isolating import Isolation
from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.plain import Plain
from xqueue_grader.programs.program import IsolationError, Program
from xqueue_grader.programs.running import run

log = logging.getLogger(__name__)

TRIAL = Program(("sh", "-c", "echo it works"), {})
PR_SET_DUMPABLE = 4
AUTO, BUBBLEWRAP, PLAIN = "auto", "bubblewrap", "plain"


def isolation(wanted: str = AUTO, *, bwrap: str | None = None, readable: tuple[str, ...] = ()) -> Isolation:
    """Return bubblewrap's where it really starts here, else plain limits with a loud warning; or the one wanted.

    Raise IsolationError where what is wanted does not work. `readable` are folders beside /usr that programs need.
    """
    if wanted not in {AUTO, BUBBLEWRAP, PLAIN}:
        raise IsolationError(f"there is no isolation {wanted!r}: auto, bubblewrap or plain (or make a Container)")
    why = "asked for"
    if wanted != PLAIN:
        try:
            return announced(tried(with_bubblewrap(bwrap, readable)))
        except IsolationError as error:
            if wanted == BUBBLEWRAP:
                raise
            why = str(error)
    found = tried(Plain(as_root=os.geteuid() == 0))
    if os.geteuid() != 0:
        hide()
    log.warning("students' programs run WITHOUT WALLS, under plain limits (%s)", why)
    return announced(found)


def with_bubblewrap(bwrap: str | None, readable: tuple[str, ...]) -> Bubblewrap:
    """Make it of an installed bwrap; raise IsolationError where there is none."""
    if path := bwrap or bubblewrap.installed():
        return Bubblewrap(path, readable)
    raise IsolationError("bubblewrap is not installed")


def tried(found: Isolation) -> Isolation:
    """Run something in it; raise IsolationError where that fails, with what was said."""
    ran = run(TRIAL, Limits(), found)
    if not ran.well or ran.output != b"it works\n":
        said = ran.errors.decode(errors="replace").strip()[-500:]
        raise IsolationError(f"{found.name} does not work here: {said or f'exit code {ran.code}'}")
    return found


def announced(found: Isolation) -> Isolation:
    """Say in the log which it is, and what it does not contain."""
    loud = logging.INFO if found.name != Plain.name else logging.WARNING
    log.log(loud, "students' programs are isolated by: %s", found.name)
    for sentence in found.not_contained:
        log.log(loud, "not contained: %s", sentence)
    return found


def hide() -> None:
    """Keep our environment and memory, a password in them, from programs of our own user: they could read /proc."""
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):
        log.warning("programs can read this process' environment, the broker's password in it")
