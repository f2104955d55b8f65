"""An old parser is said at start, where anything is read with it."""

import pytest

from broker_setup.process.old_parsers import parser_warnings


@pytest.mark.parametrize("version", [(2, 5, 0), (2, 6, 4)])
def test_an_expat_with_known_holes_is_said_where_replies_are_read(version: tuple[int, ...]) -> None:
    [line] = parser_warnings(validates=True, found=version)
    assert line.startswith(f"this Python reads XML with expat {'.'.join(map(str, version))}, and before 2.7 ")
    assert not list(parser_warnings(validates=False, found=version))


@pytest.mark.parametrize("version", [(2, 7, 0), (2, 7, 1), (3, 0, 0)])
def test_of_a_newer_one_nothing_is_said(version: tuple[int, ...]) -> None:
    assert not list(parser_warnings(validates=True, found=version))
