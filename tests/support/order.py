"""In which order xdist's workers run the tests: each has its share of the long ones, and begins with it."""

from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path

import pytest

# By how long one takes, the longest first. What is left of the short ones in the end is what can be shared well.
KINDS = ("acceptance", "integration", "unit")


def dealt(tests: Sequence[pytest.Item], root: Path, workers: int) -> list[pytest.Item]:
    """Order them so that in each worker's part, as `worksteal` cuts the list, the kinds come as in KINDS.

    Acceptance tests are dealt one by one, for the dearest of them stand together; of the rest each worker has files
    as whole as can be, which make what they need once for all their tests.
    """
    kinds: dict[str, list[pytest.Item]] = {kind: [] for kind in KINDS}
    for test in tests:
        kinds[_kind(test, root)].append(test)
    first, *others, last = kinds.values()
    parts = [first[number::workers] for number in range(workers)]
    for kind in others:
        for part, share in zip(parts, _cut(kind, workers), strict=True):
            part.extend(share)
    rest = iter(last)
    for part, whole in zip(parts, _cut(tests, workers), strict=True):
        part.extend(islice(rest, max(0, len(whole) - len(part))))
    return [*chain(*parts), *rest]


def _kind(test: pytest.Item, root: Path) -> str:
    parts = test.path.relative_to(root).parts
    return next((kind for kind in KINDS if kind in parts), KINDS[-1])


def _cut(tests: Sequence[pytest.Item], workers: int) -> list[Sequence[pytest.Item]]:
    """Cut as xdist does: each takes its part of what is left, rounded down."""
    cut, begin = [], 0
    for left in range(workers, 0, -1):
        size = (len(tests) - begin) // left
        cut.append(tests[begin : begin + size])
        begin += size
    return cut
