"""What is said while a command takes long, and what is kept of its words."""

import sys

from deploy.local.running import run_saying


def python(program: str) -> list[str]:
    return [sys.executable, "-S", "-c", program]


def test_what_a_command_prints_is_kept_and_not_shown() -> None:
    said: list[str] = []
    ran = run_saying(python("import sys; print('a warning'); sys.exit('no room')"), "installing", said.append)
    assert ran.returncode == 1
    assert {"a warning", "no room"} <= set(ran.output.split("\n"))
    assert said == []


def test_a_long_command_gives_signs_of_life() -> None:
    said: list[str] = []
    run_saying(python("import time; time.sleep(0.5)"), "installing", said.append, every=0.1)
    assert said[:1] == ["installing: still at it after 0 s"]
