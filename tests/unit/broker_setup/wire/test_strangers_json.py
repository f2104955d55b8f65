"""JSON that a stranger wrote is read as the standard library would, but for numbers without end."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.wire.strangers_json import MAX_FLOAT, MAX_INTEGER, read_json, read_object

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


# An object, which is read in another way where that is quicker.


def objects_in(text: str) -> Any:
    try:
        value = read_json(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


@given(st.dictionaries(st.text(), VALUES) | VALUES, st.booleans())
def test_an_object_is_read_as_any_json_and_nothing_else_is_one(value: Any, is_ascii: bool) -> None:  # noqa: FBT001
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert repr(read_object(text)) == repr(objects_in(text))


@given(st.text('{}[]:,"\\ud8dc019.-eE+ntrufals\x00\n\x7f/ \ufeff', max_size=12))
def test_what_looks_like_an_object_is_read_as_any_json(inner: str) -> None:
    for text in (inner, f'{{"a": {inner}}}', f'{{"a": "{inner}"}}', f'{{"a{inner}": "b"}}'):
        assert repr(read_object(text)) == repr(objects_in(text)), text


@pytest.mark.parametrize(
    "value",
    [
        *(
            "1.0",
            "1e2",
            "1E2",
            "-0",
            "01",
            "+1",
            "NaN",
            "-Infinity",
            "true",
            "null",
            "9" * 19,
            "9" * 20,
            "-" + "9" * 30,
        ),
        *(
            "1" * MAX_INTEGER,
            "1" * (MAX_INTEGER + 1),
            '"\\ud800"',
            '"\\ud83d\\ude00"',
            '"\ud800"',
            '"\t"',
            '"\\/"',
            '"\x7f"',
        ),
        *("{}", "[1]", '"a", "a": "b"', '1, "a": "b"', '"b"} {', '"b"},', "'b'", '"\\x41"', '"\\u00e4"', '"\u00e4"'),
    ],
)
def test_whatever_an_objects_value_is_it_is_read_as_any_json(value: str) -> None:
    text = f' {{"a": {value}}}\n'
    assert repr(read_object(text)) == repr(objects_in(text))
