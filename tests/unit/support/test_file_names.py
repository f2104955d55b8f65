"""Two files of tests of one name can't be collected in one run: pytest takes both for one module."""

from collections import Counter
from pathlib import Path

TESTS = Path(__file__).parents[2]


def test_no_two_files_of_tests_have_the_same_name() -> None:
    names = Counter(file.name for file in TESTS.rglob("test_*.py"))
    assert [name for name, files in names.items() if files > 1] == []
