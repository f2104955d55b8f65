"""Children on a leash: real processes, no broker."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import lock
from deploy.local.process import LEASH, Child, is_ours
from deploy.local.ready import wait_until

SLEEP = "import time; time.sleep(600)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('on', flush=True); time.sleep(600)"
)


def child(folder: Path, marker: str = "mark-of-a-test") -> Child:
    return Child("sleeper", folder / "log", folder / "pid", marker=f"xqueue={marker}")


def start(sleeper: Child, program: str = SLEEP, marker: str = "mark-of-a-test") -> int:
    sleeper.start([sys.executable, "-X", f"xqueue={marker}", "-c", program], os.environ)
    assert sleeper.pid
    return sleeper.pid


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    sleeper = child(tmp_path)
    start(sleeper, STUBBORN)
    assert wait_until(lambda: "on" in sleeper.log.read_text(), 60)
    sleeper.stop(0.2)
    assert sleeper.returncode == -signal.SIGKILL


def test_a_leftover_is_stopped_by_the_next_one_in_the_same_folder(tmp_path: Path) -> None:
    left = child(tmp_path)
    pid = start(left)
    assert wait_until(lambda: is_ours(pid, "xqueue=mark-of-a-test"), 60)
    assert child(tmp_path).stop_leftover()
    assert left.wait(10)
    assert left.returncode == -signal.SIGTERM


def test_a_stranger_under_a_leftovers_pid_is_left_alone(tmp_path: Path) -> None:
    stranger = child(tmp_path)
    start(stranger, marker="somebody-else")
    assert not child(tmp_path).stop_leftover()
    assert stranger.pid
    stranger.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, {str(LEASH)!r}, str(os.getpid()), sys.executable, "-c", {SLEEP!r}])
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert wait_until(lambda: is_ours(pid, SLEEP), 60)
        parent.kill()
    assert wait_until(lambda: not is_ours(pid, SLEEP), 60)


def test_a_folder_has_one_user_at_a_time(tmp_path: Path) -> None:
    with lock.held(tmp_path / "lock"), pytest.raises(BlockingIOError), lock.held(tmp_path / "lock"):
        pass
    with lock.held(tmp_path / "lock"):
        pass
