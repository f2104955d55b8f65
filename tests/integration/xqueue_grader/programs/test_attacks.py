"""Programs that attack, in each isolation that this machine has: what each contains, and what plain limits do not."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket

import pytest

from tests.support.isolations import QUICK, isolation_of, ran
from xqueue_grader.programs import End, Isolation, IsolationError, users
from xqueue_grader.programs.bubblewrap import Bubblewrap
from xqueue_grader.programs.processes import look, seen

MARK = "xqueue-attack-"


@pytest.fixture(params=["bubblewrap", "plain"])
def isolated(request: pytest.FixtureRequest) -> Isolation:
    return isolation_of(request.param)


@pytest.fixture
def walls() -> Isolation:
    """Bubblewrap's alone: plain limits say at their start that they do not contain what is tried in it."""
    return isolation_of("bubblewrap")


@pytest.fixture
def port() -> Iterator[int]:
    with socket(AF_INET, SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def alive(mark: str) -> list[int]:
    """Return processes with a word in what they are called by; the mark is unlike any other's."""
    found = []
    for process in seen():
        try:
            words = Path(f"/proc/{process.number}/cmdline").read_bytes()
        except OSError:
            continue
        if mark.encode() in words and process.number != os.getpid() and not process.dead:
            found.append(process.number)
    return found


def test_a_fork_bomb_gets_no_further_than_its_processes_and_nothing_of_it_stays(isolated: Isolation) -> None:
    mark = f"{MARK}{time.monotonic_ns()}"
    text = f"""
import os, sys, time
made = 0
while made < 1000:
    try:
        if os.fork() == 0:
            os.execv("/bin/sh", ["sh", "-c", "while :; do :; done", {mark!r}])
        made += 1
    except OSError:
        break
print(made, flush=True)
"""
    found = ran(isolated, text)
    assert 0 <= int(found.output) <= QUICK.processes
    assert alive(mark) == []


def test_a_chain_of_processes_that_fork_and_end_is_broken(isolated: Isolation) -> None:
    mark = f"{MARK}{time.monotonic_ns()}"
    text = f"""
import os
if os.fork() == 0:
    os.setsid()
    os.closerange(0, 3)
    os.execv("/usr/bin/python3", ["python3", "-S", "-c", '''
import os
while True:
    try:
        if os.fork():
            os._exit(0)
    except OSError:
        pass
''', {mark!r}])
"""
    assert ran(isolated, text).end is End.ITSELF
    # One look may fall between two of the chain.
    assert [alive(mark) for _ in range(3)] == [[], [], []]


@pytest.mark.parametrize("closed", [True, False], ids=["pipes-closed", "pipes-held"])
def test_a_daemon_does_not_outlive_the_program(isolated: Isolation, *, closed: bool) -> None:
    mark = f"{MARK}{time.monotonic_ns()}"
    text = f"""
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        {"os.closerange(0, 3)" if closed else "pass"}
        os.execv("/bin/sh", ["sh", "-c", "trap '' TERM HUP INT; while :; do sleep 60; done", {mark!r}])
    os._exit(0)
os.wait()
print("done")
"""
    began = time.monotonic()
    found = ran(isolated, text)
    assert (found.end, found.output) == (End.ITSELF, b"done\n")
    assert time.monotonic() - began < 50
    assert alive(mark) == []


def test_memory_is_bounded_of_one_process_and_of_all_together(isolated: Isolation) -> None:
    assert b"MemoryError" in ran(isolated, "x = bytearray(10**9)").errors
    text = """
import os, time
os.fork() and os.fork()
x = bytearray(120 * 2**20)
time.sleep(50)
"""
    found = ran(isolated, text)
    assert found.end is End.MEMORY
    assert found.memory_bytes > QUICK.memory_bytes


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output_without_an_end_is_cut(isolated: Isolation, stream: str) -> None:
    found = ran(isolated, f"import sys\nwhile True: sys.{stream}.write('x' * 10000)")
    assert found.end is End.OUTPUT
    assert len(found.output) + len(found.errors) == QUICK.output_bytes


def test_what_a_child_prints_after_the_program_is_bounded_too(isolated: Isolation) -> None:
    text = """
import os, time
if os.fork() == 0:
    while True:
        os.write(1, b"x" * 65536)
"""
    found = ran(isolated, text)
    assert len(found.output) <= QUICK.output_bytes


def test_time_is_bounded_by_the_clock_and_by_computing_whatever_signals_it_ignores(isolated: Isolation) -> None:
    ignoring = "import signal\nfor n in (1, 2, 3, 15, 24): signal.signal(n, signal.SIG_IGN)\n"
    slept = ran(isolated, ignoring + "import time; time.sleep(1000)", replace(QUICK, seconds=0.3))
    assert slept.end is End.SECONDS
    assert 0.3 <= slept.seconds < 30
    # The same shim limits both, so one of them is enough for the second more that ignoring gains.
    if isolated.name == "bubblewrap":
        assert ran(isolated, "while True: pass").end is End.CPU
    else:
        assert ran(isolated, ignoring + "while True: pass").code == 128 + signal.SIGKILL


def test_a_program_that_reads_nothing_does_not_hold_us_up(isolated: Isolation) -> None:
    assert ran(isolated, "print(1)", stdin=b"x" * 5_000_000).output == b"1\n"


def test_files_are_bounded_and_none_is_left(isolated: Isolation) -> None:
    mark = f"{MARK}{time.monotonic_ns()}"
    text = f"""
import os
try:
    open("big", "wb").write(b"x" * 5_000_000)
except OSError as error:
    print(error.strerror)
os.symlink("/etc/passwd", {mark!r})
for number in range(1200):
    os.mkdir("d"); os.chdir("d")
os.chmod(".", 0)
"""
    passwd = Path("/etc/passwd").stat()
    assert ran(isolated, text).output == b"File too large\n"
    assert [*Path(tempfile.gettempdir()).glob(f"grading-*/{mark}")] == []
    assert Path("/etc/passwd").stat() == passwd


def test_nothing_of_our_environment_is_seen_nor_a_descriptor(
    isolated: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XQUEUE_AMQP_URL", "amqp://grader:password@broker/")
    text = "import os; print(dict(os.environ)); print(os.listdir('/proc/self/fd'))"
    found = ran(isolated, text)
    assert b"password" not in found.output
    # 3 is the listing's own.
    assert found.output.splitlines()[1] == b"['0', '1', '2', '3']"


def test_the_grader_is_neither_killed_nor_read(isolated: Isolation, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0 and isolated.name == "plain":
        pytest.skip("plain limits say so at their start, where the grader is not root")
    text = f"""
import os
me = {os.getpid()}
for number in {{me, os.getppid(), 1}}:
    for act in (lambda: os.kill(number, 15), lambda: print(open(f"/proc/{{number}}/environ").read())):
        try:
            act()
            print("could", number)
        except OSError:
            pass
for number in os.listdir("/proc"):
    if number.isdigit():
        try:
            if "XQUEUE_SECRET" in open(f"/proc/{{number}}/environ").read():
                print("read", number)
        except OSError:
            pass
os.kill(-1, 15)
"""
    with subprocess.Popen(["sleep", "60"], env={"XQUEUE_SECRET": "1"}) as bystander:
        try:
            found = ran(isolated, text)
            assert b"read" not in found.output
            assert f"could {os.getpid()}".encode() not in found.output or isolated.name == "bubblewrap"
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_no_program_becomes_somebody_else_by_a_program_that_is_roots(isolated: Isolation) -> None:
    assert b"NoNewPrivs:\t1" in ran(isolated, "print(open('/proc/self/status').read())").output


def test_no_network_is_reached(walls: Isolation, port: int) -> None:
    text = f"""
import socket
for address in (("127.0.0.1", {port}), ("1.1.1.1", 53), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, 5)
        print("reached", address)
    except OSError:
        pass
print(socket.if_nameindex())
"""
    assert ran(walls, text).output == b"[(1, 'lo')]\n"


def test_nothing_is_written_but_its_own_folder_and_memory(walls: Isolation, tmp_path: Path) -> None:
    text = f"""
for path in ("/usr/x", "/dev/x", "/etc/x", "/proc/sys/kernel/domainname", {str(tmp_path / "x")!r}, "program.py"):
    try:
        open(path, "w").write("x")
        print("wrote", path)
    except OSError:
        pass
open("mine", "w").write("x")
open("/tmp/mine", "w").write("x")
"""
    assert (ran(walls, text).output, ran(walls, "import os; print(os.listdir(), os.listdir('/tmp'))").output) == (
        b"",
        b"['program.py'] []\n",
    )


def test_all_files_of_a_folder_together_are_bounded(walls: Isolation) -> None:
    text = """
import os
for folder in (".", "/tmp", "/dev/shm"):
    try:
        for number in range(100):
            open(f"{folder}/{number}", "wb").write(b"x" * 500_000)
        print("all")
    except OSError as error:
        print(error.strerror)
"""
    assert ran(walls, text, replace(QUICK, disk_bytes=4_000_000)).output == b"No space left on device\n" * 3


def test_nothing_is_read_that_is_not_the_systems_own(walls: Isolation, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the grader")
    text = f"""
import os
print(sorted(os.listdir("/")), os.path.exists({str(tmp_path / "secret")!r}), os.path.exists("/etc/passwd"))
print(sum(name.isdigit() for name in os.listdir("/proc")) <= 3)
"""
    names, numbers = ran(walls, text).output.decode().splitlines()
    assert names.endswith("False False")
    assert "'root'" not in names
    assert "'home'" not in names
    assert numbers == "True"


def test_no_namespace_is_made_within(walls: Isolation) -> None:
    found = ran(walls, "import subprocess; print(subprocess.run(['unshare', '-Ur', 'true']).returncode)")
    assert found.output == b"1\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give programs users of their own")
class TestUsers:
    """A user for each run: who may be killed by it, and who may not."""

    def test_two_runs_never_have_the_same(self) -> None:
        with users.borrowed() as one, users.borrowed() as other:
            assert one != other
            assert min(one, other) >= users.FIRST

    def test_all_that_a_user_has_is_killed_and_nothing_of_another(self) -> None:
        with users.borrowed() as one, users.borrowed() as other:
            theirs = subprocess.Popen(["sleep", "60"], user=one, group=one, extra_groups=[])
            others = subprocess.Popen(["sleep", "60"], user=other, group=other, extra_groups=[])
            users.end_all(one, surely=True)
            left, other_left = look(theirs.pid), look(others.pid)
            assert left is None or left.dead
            assert other_left
            assert not other_left.dead
            others.kill()
            others.wait()
            theirs.wait()

    def test_one_whose_dead_nobody_buried_is_not_lent(self) -> None:
        """They count among its processes, and the next program could start none."""
        with users.borrowed() as one:
            script = f"""
import os, subprocess, sys
dead = subprocess.Popen(["true"], user={one}, group={one}, extra_groups=[])
os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
print("dead", flush=True)
sys.stdin.read()
"""
            parent = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            assert parent.stdout
            assert parent.stdout.readline() == b"dead\n"
        with users.borrowed() as other:
            assert other != one
        parent.communicate()

    def test_who_kills_refuses_while_it_has_anything_of_root(self) -> None:
        for numbers in (("0", "59100"), ("59001", "0"), ("999", "59100")):
            refused = subprocess.run(
                [sys.executable, "-I", "-S", "-c", users.KILL.replace("os.kill(-1, 9)", "print('kills')"), *numbers],
                capture_output=True,
                check=False,
            )
            assert refused.returncode != 0
            assert refused.stdout == b""


def test_a_program_that_could_not_begin_is_not_the_students_failure() -> None:
    """Where walls can't be built, no program has run, and nobody gets 0 points for it."""
    with pytest.raises(IsolationError, match="did not start"):
        ran(Bubblewrap("/bin/false"), "print(1)")
