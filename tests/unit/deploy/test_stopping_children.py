"""A signal that asks us to stop may come at any moment, also while it is looked whether a child still runs."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import pytest

from deploy.local.process import Child
from deploy.local.running import run_saying

SLEEPS = "import time; time.sleep(600)"
INTERRUPTIONS = 300


class AskedToStopError(BaseException):
    """As `make up` raises it from its handler."""


def raise_it(_signal: int, _frame: FrameType | None) -> None:
    raise AskedToStopError


@contextmanager
def handler_that_raises() -> Iterator[None]:
    """Have a handler of SIGALRM that raises."""
    before = signal.signal(signal.SIGALRM, raise_it)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Child]:
    made = Child("sleeper", tmp_path / "log", tmp_path / "pid", marker="sleeper")
    made.start([sys.executable, "-S", "-c", SLEEPS, "sleeper"], dict(os.environ))
    yield made
    made.kill()


@pytest.mark.timeout(60)
def test_a_child_that_was_looked_at_when_the_signal_came_is_stopped_all_the_same(child: Child) -> None:
    with handler_that_raises():
        for _ in range(INTERRUPTIONS):
            # One signal at a time: a second one would come where nobody waits for it.
            with suppress(AskedToStopError):
                signal.setitimer(signal.ITIMER_REAL, 0.0003)
                while True:
                    assert child.pid is not None
    child.stop(10)
    assert child.pid is None
    assert child.returncode == -signal.SIGTERM


@pytest.mark.timeout(60)
def test_a_child_that_heeds_no_word_is_killed(child: Child, tmp_path: Path) -> None:
    deaf = Child("deaf", tmp_path / "log", tmp_path / "pid", marker="deaf")
    heedless = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    deaf.start([sys.executable, "-S", "-c", heedless + SLEEPS, "deaf"], dict(os.environ))
    deadline = time.monotonic() + 30
    while "deaf" not in deaf.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    deaf.stop(0.2)
    assert deaf.returncode == -signal.SIGKILL
    assert child.pid is not None


@pytest.mark.timeout(60)
@pytest.mark.parametrize("moment", range(20))
def test_a_command_that_is_given_up_is_killed_wherever_that_came(moment: int, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    writes_pid = f"import os; open({str(tmp_path / 'new')!r}, 'w').write(str(os.getpid())); "
    writes_pid += f"os.rename({str(tmp_path / 'new')!r}, {str(pid_file)!r}); "
    set_off = False

    def say(_line: str) -> None:
        nonlocal set_off
        if not set_off and pid_file.exists():  # it comes a moment later, in the midst of the looks that follow
            set_off = True
            signal.setitimer(signal.ITIMER_REAL, 0.0005 * (moment + 1))

    with handler_that_raises(), pytest.raises(AskedToStopError):
        run_saying([sys.executable, "-S", "-c", writes_pid + SLEEPS], "installing", say, every=0.0001)
    # Killed and waited for: one that nobody waited for would still be found.
    assert not Path(f"/proc/{pid_file.read_text()}").exists()
