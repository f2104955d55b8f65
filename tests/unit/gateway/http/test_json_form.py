"""A JSON object is a form with the same names; what is no string goes on as the JSON that its sender wrote."""

import json
import tracemalloc
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.http import json_form
from gateway.http.form_limits import MAX_FIELDS, BadFormError, TooLargeError
from gateway.http.json_form import is_json_object, parse_json_form


def read(text: str) -> dict[str, str]:
    body = text.encode()
    assert is_json_object(body)
    return parse_json_form(body)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("{}", {}),
        (' { "a" : "b" } \n', {"a": "b"}),
        ('{"a": "b", "c": "\\u00e9\\n\\ud83d\\udc0d"}', {"a": "b", "c": "é\n🐍"}),
        ('{"a": 7, "b": -1.5e3, "c": true, "d": false}', {"a": "7", "b": "-1.5e3", "c": "true", "d": "false"}),
        ('{"a": null, "b": ""}', {"b": ""}),
        ('{"a": {"k":  [1, "}]", {"x": "\\"{"}]}, "b": []}', {"a": '{"k":  [1, "}]", {"x": "\\"{"}]}', "b": "[]"}),
        ('{"a": "1", "a": "2"}', {"a": "2"}),
        ('{"a": "line\nend"}', {"a": "line\nend"}),
        ('{"a": "\\ud83d half"}', {"a": "\ufffd half"}),
        ("\ufeff{}", {}),
    ],
)
def test_an_object_is_a_form(text: str, fields: dict[str, str]) -> None:
    assert read(text) == fields


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_may_be_in_any_encoding_that_json_has(encoding: str) -> None:
    body = '{"a": "é"}'.encode(encoding)
    assert is_json_object(body)
    assert parse_json_form(body) == {"a": "é"}


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert parse_json_form(b'{"a": "x\xffy"}') == {"a": "x\ufffdy"}


@pytest.mark.parametrize(
    "text",
    ["{", '{"a"', '{"a":', '{"a": }', '{"a": "b"', '{"a": "b",}', '{"a": {"b": 1}', "{a: 1}", '{"a": 1 2}', '{"a": [}',
     '{"a": "b"} more', '{"a": tru}', '{"a": "\\x"}', '{"a": "b" "c": "d"}', '{"a": ["\\', '{"a": NaN}'],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(BadFormError):
        read(text)


def test_too_many_names_are_refused() -> None:
    with pytest.raises(TooLargeError):
        read(json.dumps({str(number): "" for number in range(MAX_FIELDS + 1)}))


@pytest.mark.parametrize("text", ["[]", "a=b&c=d", "", "null", '"text"'])
def test_what_is_no_object_is_none(text: str) -> None:
    assert not is_json_object(text.encode())


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@settings(max_examples=60, deadline=None)
@given(
    content=st.dictionaries(st.text(), VALUES, max_size=10), indent=st.sampled_from([None, 1]), ascii_only=st.booleans()
)
def test_strings_come_as_they_are_and_all_else_as_its_json(
    content: dict[str, object], indent: int | None, *, ascii_only: bool
) -> None:
    fields = read(json.dumps(content, indent=indent, ensure_ascii=ascii_only))
    assert set(fields) == {name for name, value in content.items() if value is not None}
    for name, text in fields.items():
        value = content[name]
        assert text == value if isinstance(value, str) else json.loads(text) == value


@given(st.lists(st.sampled_from(["{", "}", "[", "]", '"', "\\", ",", ":", "a", "1", " ", "null"]), max_size=30))
def test_no_text_makes_anything_but_a_form_or_a_refusal(pieces: list[str]) -> None:
    try:
        fields = read("{" + "".join(pieces))
    except BadFormError:
        return
    assert all(isinstance(value, str) for value in fields.values())


@pytest.mark.unmeasured
@pytest.mark.parametrize("unit", ["[", "[],", '"\\"', '{"a":', '"', "\\"])
def test_megabytes_of_brackets_cost_their_text(unit: str) -> None:
    def cost(size: int) -> tuple[float, int]:
        body = ('{"a": [' + unit * (size // len(unit))).encode()
        tracemalloc.start()
        start = process_time()
        with pytest.raises(BadFormError):
            parse_json_form(body)
        seconds = process_time() - start
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return seconds, most

    size = 15_000
    once, four_times = (min(cost(times * size) for _ in range(2)) for times in (1, 4))
    assert four_times[1] < 10 * 4 * size
    assert four_times[0] < 12 * once[0] + 0.1


def test_too_many_brackets_are_refused_before_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_form, "MAX_BRACKETS_AND_STRINGS", 100)
    assert read('{"a": [' + "[]," * 49 + "1]}") == {"a": "[" + "[]," * 49 + "1]"}
    with pytest.raises(TooLargeError, match="more than 100 brackets"):
        read('{"a": [' + "[]," * 50 + "1]}")
    with pytest.raises(TooLargeError, match="more than 100 brackets"):
        read('{"a": [' + "[]," * 24 + '1], "b": [' + "[]," * 26 + "1]}")
