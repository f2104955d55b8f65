"""The short schedule of `make chaos`, driven and judged as the long ones are, on one node."""

from pathlib import Path

import pytest

from bench.chaos.cluster import Cluster
from bench.chaos.playing import play
from bench.chaos.short_schedule import SHORT
from bench.stack import BenchError


@pytest.mark.timeout(900)
async def test_nothing_is_lost_stuck_or_doubled_where_gateway_relay_and_broker_are_killed_and_a_gateway_stands_still(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    try:
        cluster = Cluster(tmp_path, said.append, nodes=1, light=True)
    except BenchError as error:
        pytest.skip(f"no node that is a process of its own can be had here: {error}")
    with cluster.running():
        outcome, figures = await play(SHORT, cluster, tmp_path / "played", said.append, cold=False)
    assert outcome.is_good, said
    assert [figure for figure in figures if not figure.is_good] == [], said
    assert outcome.answered_0 >= 8  # after each of four faults, two gateways took one
