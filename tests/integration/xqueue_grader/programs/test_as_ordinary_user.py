"""A grader that is not root: bubblewrap contains as much for it, plain limits less, and it says so before it begins.

Run in a process of another user where the tests are root's, by the system's own Python, with a copy of the programs'
part alone: so it is seen, too, that this needs nothing of the rest of the package.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.isolations import bwrap, isolation_of, ordinary
from tests.support.project import ROOT

PYTHON = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin") or ""
BEGIN = """
import logging, os, sys
logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stdout)
from xqueue_grader.programs import Limits, Program, isolation, run
MARK = f"ordinary-{os.getpid()}"
LIMITS = Limits(seconds=60, cpu_seconds=1, processes=4)
def ran(text):
    return run(Program(("python3", "program.py", MARK), {"program.py": text.encode()}), LIMITS, found)
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that another user may read, with the part and nothing else."""
    folder = Path(tempfile.mkdtemp(prefix="ordinary-"))
    try:
        folder.chmod(0o755)
        (folder / "xqueue_grader").mkdir(mode=0o755)
        (folder / "xqueue_grader/__init__.py").touch(mode=0o644)
        shutil.copytree(ROOT / "grader/xqueue_grader/programs", folder / "xqueue_grader/programs")
        yield folder
    finally:
        shutil.rmtree(folder)


def said_by(place: Path, script: str) -> str:
    """Run a script with the system's Python as an ordinary user; return what it printed."""
    done = subprocess.run(
        [PYTHON, "-B", "-c", BEGIN + script],
        cwd=place,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(place), "XQUEUE_AMQP_URL": "amqp://grader:password@broker/"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        **ordinary(),
    )
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


FORKS = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
os.wait()
print("forked")
"""


def test_with_bubblewrap_it_contains_daemons_and_hides_its_environment(place: Path) -> None:
    isolation_of("bubblewrap")
    script = f"""
import time
found = isolation("bubblewrap", bwrap={bwrap()!r})
print(ran({FORKS!r}).output)
print(ran("import os; print([open(f'/proc/{{n}}/environ').read() for n in os.listdir('/proc') if n.isdigit()])").output)
def of_program():
    found = []
    for number in os.listdir("/proc"):
        if number.isdigit() and number != str(os.getpid()):
            try:
                command = open(f"/proc/{{number}}/cmdline", "rb").read()
            except OSError:
                continue
            if MARK.encode() in command:
                found.append(number)
    return found
until = time.monotonic() + 60
while of_program() and time.monotonic() < until:
    time.sleep(0.01)
print("left:", of_program())
"""
    lines = said_by(place, script).splitlines()
    assert lines[0] == "INFO students' programs are isolated by: bubblewrap"
    assert lines[-3] == r"b'forked\n'"
    assert "LANG=C.UTF-8" in lines[-2]
    assert "password" not in lines[-2]
    assert lines[-1] == "left: []"


def test_under_plain_limits_it_warns_loudly_and_programs_can_not_fork_nor_read_its_environment(place: Path) -> None:
    script = f"""
found = isolation("plain")
print(ran({FORKS!r}).errors.splitlines()[-1])
print(ran(f"print(open('/proc/{{os.getpid()}}/environ').read())").errors.splitlines()[-1])
"""
    *said, forked, read = said_by(place, script).splitlines()
    assert said[0] == "WARNING students' programs run WITHOUT WALLS, under plain limits (asked for)"
    assert all(line.startswith("WARNING ") for line in said)
    for what in (
        "use the network",
        "kill this grader",
        "the tests and their right answers",
        "no process and no thread",
    ):
        assert any(what in line for line in said), what
    assert "Resource temporarily unavailable" in forked
    assert "Permission denied" in read


def test_where_bubblewrap_does_not_start_it_is_said_why_and_who_insists_gets_an_error(place: Path) -> None:
    script = """
isolation(bwrap="/bin/false")
try:
    isolation("bubblewrap", bwrap="/bin/false")
except Exception as error:
    print(type(error).__name__, error)
"""
    said = said_by(place, script).splitlines()
    assert said[0].startswith(
        "WARNING students' programs run WITHOUT WALLS, under plain limits (bubblewrap did not start"
    )
    assert said[-1].startswith("IsolationError bubblewrap did not start the program")
