"""How runs end that are not the program's doing: a grader that is killed, and a container's engine that fails."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.support.gateway import PATIENCE_SECONDS, wait_until
from tests.support.isolations import QUICK, bwrap, isolation_of, ran
from tests.support.project import ROOT
from xqueue_grader.programs import Container, End, IsolationError
from xqueue_grader.programs.processes import seen

# What an engine's command does, without a container: `run` becomes the command behind the image, `rm` is noted.
ENGINE = """#!/bin/sh
echo "$@" >> {folder}/calls
case $1 in
run)
    case "$*" in *broken*) echo "no such image" >&2; exit 125;; esac
    while [ "$1" != image ]; do shift; done
    shift
    exec "$@";;
esac
"""


def with_mark(mark: str) -> list[int]:
    found = []
    for process in seen():
        try:
            words = Path(f"/proc/{process.number}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words and not process.dead:
            found.append(process.number)
    return found


@pytest.mark.parametrize("name", ["bubblewrap", "plain"])
def test_a_grader_that_is_killed_leaves_no_program(name: str) -> None:
    isolation_of(name)
    mark = f"killed-{time.monotonic_ns()}"
    script = f"""
from xqueue_grader.programs import Limits, Program, isolation, run
found = isolation({name!r}, bwrap={bwrap()!r})
run(Program(("python3", "-c", "import time; time.sleep(1000)", {mark!r}), {{}}), Limits(seconds=1000), found)
"""
    # Its folder stays where nobody is left to remove it, so it is one that the test removes.
    folder = Path(tempfile.mkdtemp(prefix="killed-"))
    folder.chmod(0o755)
    # The mark is a word of its own where the program runs, and a part of one here.
    grader = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=ROOT / "grader",
        env={**os.environ, "TMPDIR": str(folder)},
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: bool(with_mark(mark)), PATIENCE_SECONDS, "the program did not begin")
    finally:
        grader.kill()
        grader.wait()
    try:
        wait_until(lambda: not with_mark(mark), PATIENCE_SECONDS, "the program outlived its grader")
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    path = tmp_path / "engine"
    path.write_text(ENGINE.format(folder=tmp_path))
    path.chmod(0o755)
    return path


def calls(engine: Path) -> list[list[str]]:
    return [line.split() for line in (engine.parent / "calls").read_text().splitlines()]


def test_a_container_is_removed_by_its_name_however_its_program_ended(engine: Path) -> None:
    container = Container(str(engine), "image")
    # The engine's command runs here, in the folder that a container would be shown.
    assert ran(container, "print(input())", stdin=b"hello\n").output == b"hello\n"
    assert ran(container, "while True: print('x' * 1000)").end is End.OUTPUT
    ran_, removed, ran_again, removed_again = calls(engine)
    for started, ended in ((ran_, removed), (ran_again, removed_again)):
        assert ended == ["rm", "--force", started[started.index("--name") + 1]]
    assert ran_[ran_.index("--name") + 1] != ran_again[ran_again.index("--name") + 1]


def test_an_engine_that_can_not_start_a_container_is_not_the_students_failure(engine: Path) -> None:
    with pytest.raises(IsolationError, match="container did not start the program: no such image"):
        ran(Container(str(engine), "broken"), "print(1)")
    with pytest.raises(IsolationError, match="could not be started"):
        ran(Container("/no/such/engine", "image"), "print(1)", QUICK)
