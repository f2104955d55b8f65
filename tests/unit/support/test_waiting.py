"""What does not come true in time fails with what was waited for."""

from functools import partial

import pytest

from tests.support.waiting import eventually


async def test_the_reason_is_the_conditions_own_words() -> None:
    with pytest.raises(AssertionError, match=r"(?s)not within 0 s: .*lambda: 1 - 1.* is 0"):
        await eventually(lambda: 1 - 1, 0)


async def test_a_condition_without_a_source_is_named_all_the_same() -> None:
    with pytest.raises(AssertionError, match=r"not within 0 s: functools.partial\(.* is False"):
        await eventually(partial(bool, 0), 0)
