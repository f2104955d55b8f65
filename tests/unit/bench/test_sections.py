"""Which figures `make bench` measures."""

from collections.abc import Sequence

import pytest
from rich.table import Table

from bench.sections import Measured, Section, chosen_of
from bench.stack import BenchError


def section(*figures: str) -> Section:
    return Section("any", figures, lambda _: 0, lambda _: Measured(Table(), []))


SECTIONS: Sequence[Section] = (section("submits", "cycles"), section("busy"))


def test_all_are_measured_unless_some_are_named() -> None:
    assert chosen_of("", SECTIONS) == {"submits", "cycles", "busy"}
    assert chosen_of("busy, submits", SECTIONS) == {"busy", "submits"}


def test_a_name_that_is_none_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(BenchError, match="knows submits, cycles, busy, not pulls"):
        chosen_of("pulls,busy", SECTIONS)
