"""JSON that a stranger wrote is read as the standard library would, but for numbers without end."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.wire.strangers_json import MAX_FLOAT, MAX_INTEGER, read_json

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(VALUES)
def test_whatever_a_program_writes_is_read(value: Any) -> None:
    assert read_json(json.dumps(value)) == value


@pytest.mark.parametrize("text", ["", "{", "[1,]", "\ufeff1", "1 2", "9" * 5000])
def test_what_is_no_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_json(text)


@pytest.mark.parametrize("number", ["0." + "1" * MAX_FLOAT, "1" * MAX_FLOAT + "e1", "1e" + "0" * MAX_FLOAT])
def test_a_fraction_of_more_digits_than_anybody_needs_is_an_error(number: str) -> None:
    assert read_json(number[:MAX_FLOAT]) is not None
    with pytest.raises(ValueError, match="a number in it has more than 40 characters"):
        read_json(number)


def test_a_whole_number_of_more_digits_than_any_float_has_is_an_error() -> None:
    assert read_json("7" * MAX_INTEGER) == int("7" * MAX_INTEGER)
    with pytest.raises(ValueError, match="a number in it has more than 400 characters"):
        read_json("7" * (MAX_INTEGER + 1))


def test_a_score_that_python_or_javascript_writes_is_read() -> None:
    assert read_json("0.30000000000000004") == 0.1 + 0.2
    assert read_json("-1.7976931348623157e+308") == -1.7976931348623157e308
