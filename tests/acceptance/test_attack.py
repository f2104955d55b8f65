"""The short form of `make attack`: nothing stops, nothing is lost, nothing grows, and good work beside goes on."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench.attack.attacks import ATTACKS
from bench.attack.campaign import SHORT, on_own_stack
from bench.attack.given_stack import QUEUES
from tests.support.broker import VHost
from tests.support.make_up import ROOT, make_up


@pytest.mark.timeout(600)
async def test_no_attack_breaks_a_bound(vhost: VHost, tmp_path: Path) -> None:
    async with on_own_stack(vhost, tmp_path, SHORT) as battle:
        outcomes = [outcome async for outcome in battle.fight(each for each in ATTACKS if each.is_short)]
    for outcome in outcomes:
        print(outcome.as_dict())
    assert not {outcome.attack.name: outcome.wrong for outcome in outcomes if outcome.wrong}
    for name in ("gateway", "relay", "passive"):
        log = (tmp_path / f"{name}.log").read_text()
        assert "Traceback" not in log, f"{name}: {log[-5000:]}"


@pytest.mark.timeout(300)
def test_a_stack_that_runs_is_attacked_as_its_person_names_it(vhost: VHost, tmp_path: Path) -> None:
    data, users = tmp_path / "data", {"attacker": "a password of a test", "victim": "another one of a test"}
    queues = json.dumps(dict.fromkeys(QUEUES) | {"amqp": "amqp"})
    given = {"XQUEUE_AMQP_URL": vhost.amqp_url, "XQUEUE_XQUEUES": queues, "XQUEUE_USERS": json.dumps(users)}
    given["XQUEUE_CONSOLE_ACCOUNTS"] = "{}"  # so there is none: nobody attacks it here
    with make_up(data, **given) as stack:
        url = stack.wait_ready()
        while not any(line.startswith("operate:") for line in stack.lines):
            assert stack.process.stdout
            stack.lines.append(stack.process.stdout.readline().rstrip())
        metrics = next(line.split()[1] for line in stack.lines if line.startswith("metrics:"))
        [broker] = re.findall(r"XQUEUE_AMQP_URL='?([^'\n]+)", (data / "environment").read_text())
        options = ["--gateway", url, "--broker", broker, "--metrics", metrics]
        options += ["--account", f"attacker:{users['attacker']}", "--victim", f"victim:{users['victim']}"]
        for name, pid in services_of(stack.process.pid):
            options += ["--process", f"{name}={pid}"]
        ran = subprocess.run(
            [sys.executable, "-m", "bench.attack", "--quick", "--json", "--rows", "6,11,13", *options],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    print(ran.stderr)
    assert ran.returncode == 0
    outcomes = json.loads(ran.stdout)
    assert {outcome["row"] for outcome in outcomes} == {6, 11, 13}
    assert all(set(outcome["grown"]) == {"gateway", "relay"} for outcome in outcomes)
    assert not [outcome["name"] for outcome in outcomes if "left out" in outcome["said"]]


def services_of(make: int) -> Iterator[tuple[str, int]]:
    """Find gateway and relay among what `make up` has started."""
    names = {"gateway": "gateway", "callback_relay": "relay"}
    for process in psutil.Process(make).children(recursive=True):
        module = process.cmdline()[-1:]
        if module and module[0] in names:
            yield names[module[0]], process.pid
