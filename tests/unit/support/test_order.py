"""Each of xdist's workers has its share of the long tests and begins with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.order import dealt

ROOT = Path("/tests")


@dataclass(frozen=True)
class Test:
    __test__ = False
    path: Path


def some(kind: str, count: int) -> list[Test]:
    return [Test(ROOT / kind / str(number)) for number in range(count)]


def order(tests: list[Test], workers: int) -> list[Test]:
    return cast("Any", dealt)(tests, ROOT, workers)  # type: ignore[no-any-return]


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("counts", [(7, 30, 50), (0, 0, 5), (5, 0, 0), (9, 1, 1), (0, 0, 0)])
def test_every_test_is_dealt_once(workers: int, counts: tuple[int, int, int]) -> None:
    acceptance, integration, unit = counts
    tests = [*some("acceptance", acceptance), *some("integration", integration), *some("unit", unit)]
    ordered = order(tests, workers)
    assert len(ordered) == len(tests)
    assert set(ordered) == set(tests)


def test_each_worker_begins_with_its_share_of_the_long_ones() -> None:
    ordered = order([*some("unit", 50), *some("integration", 30), *some("acceptance", 6)], 2)
    for part in (ordered[:43], ordered[43:]):
        kinds = [test.path.parts[2] for test in part]
        assert kinds == sorted(kinds)
        assert [kinds.count(kind) for kind in ("acceptance", "integration", "unit")] == [3, 15, 25]
