"""Tests of a student's `vowels(text)`: how many vowels a text has."""

import pytest

from xqueue_grader.programs.tested import TestedProgram


def test_a_word(program: TestedProgram) -> None:
    assert program.call("vowels", "banana") == 3


def test_capital_letters(program: TestedProgram) -> None:
    assert program.call("vowels", "OUI") == 3


@pytest.mark.hidden
@pytest.mark.weight(2)
def test_none_at_all(program: TestedProgram) -> None:
    assert program.call("vowels", "") == 0
