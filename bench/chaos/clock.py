"""Gives a process a clock that is off, by Debian's libfaketime; the steady clock goes on as it is."""

from collections.abc import Mapping
from pathlib import Path

from bench.stack import BenchError
from deploy.local import packages
from deploy.local.packages import Say

PACKAGE, LIBRARY = "libfaketime", "libfaketimeMT.so.1"


def clock_off_by(seconds: int, cache: Path, say: Say) -> Mapping[str, str]:
    """Return the environment in which a process's clock is so many seconds ahead; none for 0."""
    if not seconds:
        return {}
    if not packages.available():
        raise BenchError("a clock that is off takes Debian's libfaketime: this system has no apt")
    root = packages.unpacked(PACKAGE, cache, lambda _: False, say)
    found = next(root.rglob(LIBRARY), None)
    if found is None:
        raise BenchError(f"{LIBRARY} is not in Debian's {PACKAGE}")
    return {"LD_PRELOAD": str(found), "FAKETIME": f"{seconds:+d}s", "DONT_FAKE_MONOTONIC": "1"}
