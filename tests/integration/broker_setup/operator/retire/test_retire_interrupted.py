"""A `retire` that is interrupted or killed half way loses nothing, and can be run again."""

import signal
import subprocess
import sys

import pytest

from broker_setup.topology import CHECKED_QUEUE
from tests.support.operator import (
    Operator,
    environment,
    submission,
    take_all,
    waiting_in,
)
from tests.support.retiring import OLD, fill, new_ones, retired_in

pytestmark = pytest.mark.usefixtures("_no_hurry")

# The command, which sends itself a signal after its first turn: sooner or later by no machine's pace.
_SIGNALLED = """
import os, runpy, signal, sys
from broker_setup.operator.retire.retiring import Retirement
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may have it ignored
act = Retirement._act
async def act_and_signal(self, met, tally, intake):
    await act(self, met, tally, intake)
    os.kill(os.getpid(), int(number))
Retirement._act, number = act_and_signal, sys.argv.pop(1)
runpy.run_module("broker_setup", run_name="__main__", alter_sys=True)
"""


def signalled(operator: Operator, number: signal.Signals) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _SIGNALLED, str(int(number)), "retire", "openedx", "--before", "2h", "--yes"],
        env=environment(**operator.settings()),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_interrupted_half_way_it_loses_nothing_and_can_be_run_again(operator: Operator) -> None:
    old, new = [submission(OLD, f"https://lms/{each}") for each in range(1_500)], new_ones(3)
    fill(operator, *old, *new)
    ran = signalled(operator, signal.SIGINT)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "interrupted; " in ran.stderr
    assert ran.stderr.count("\n") == 1
    first = len(retired_in(operator))
    assert 0 < first < 1_500

    again = operator.json("retire", "openedx", "--before", "2h", "--yes")
    # What was written down and not acked is cleared, and not told again.
    assert again["retired"] + first == 1_500
    told = {uuid for uuid, *_ in take_all(operator.amqp_url, CHECKED_QUEUE)}
    assert told == {each.uuid for each in old}
    assert waiting_in(operator.amqp_url) == [each.uuid for each in new]


def test_killed_it_loses_nothing(operator: Operator) -> None:
    old = [submission(OLD, f"https://lms/{each}") for each in range(1_500)]
    fill(operator, *old)
    assert signalled(operator, signal.SIGKILL).returncode == -signal.SIGKILL
    assert 0 < len(retired_in(operator)) < 1_500
    operator.json("retire", "openedx", "--before", "2h", "--yes")
    assert {event.submission for event in retired_in(operator)} == {each.uuid_bytes for each in old}
    assert {uuid for uuid, *_ in take_all(operator.amqp_url, CHECKED_QUEUE)} == {each.uuid for each in old}
    assert waiting_in(operator.amqp_url) == []
