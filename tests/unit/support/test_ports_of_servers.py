"""Test processes have ports of their own, whichever runs they are of."""

import subprocess
import sys

from tests.support.ports import free_port
from tests.support.project import ROOT

MINE = "from tests.support.ports import free_port; import sys; print(free_port() // 200, flush=True); sys.stdin.read()"


def test_processes_that_run_at_the_same_time_have_no_port_in_common() -> None:
    # Before theirs are free again.
    ours = free_port() // 200
    processes = [
        subprocess.Popen([sys.executable, "-c", MINE], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    try:
        blocks = [int(process.stdout.readline()) for process in processes if process.stdout]
    finally:
        for process in processes:
            process.communicate()
    assert len({*blocks, ours}) == 4


def test_ports_below_one_are_free_and_its_own_too() -> None:
    ports = [free_port(below=2) for _ in range(20)]
    assert len({port - each for port in ports for each in range(3)}) == 60
