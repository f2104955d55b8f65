"""What `make bench` says of several gateways and workers."""

import os

from bench.pace import Pace
from bench.scaling import Fleet, as_table

ONE = Fleet("one gateway", submits=[Pace(100), Pace(200)], cycles=[Pace(50)])
TWO = Fleet("WORKERS=2", workers=2, submits=[Pace(300), Pace(250)], cycles=[Pace(90)])


def test_a_fleet_is_beside_one_gateway_in_the_best_round_of_both() -> None:
    told = TWO.as_dict(ONE)
    assert (told["gateways"], told["workers"]) == (1, 2)
    assert (told["submits_times"], told["cycles_times"]) == (1.5, 1.8)


def test_how_many_cores_there_are_is_said_with_it() -> None:
    assert TWO.as_dict(ONE)["cores"] == os.cpu_count()
    assert str(os.cpu_count()) in str(as_table([ONE, TWO]).columns[0].header)
