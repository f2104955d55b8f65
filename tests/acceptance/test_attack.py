"""The short form of `make attack`: nothing stops, nothing is lost, nothing grows, and good work beside goes on."""

from pathlib import Path

import pytest

from bench.attack.attacks import ATTACKS
from bench.attack.campaign import SHORT, on_own_stack
from tests.support.broker import VHost


@pytest.mark.alone
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
