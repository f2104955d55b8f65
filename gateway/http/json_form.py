"""Reads a JSON object as a form: the names are the same, and what is no string goes on as the JSON that stands there.

So a header may be given as an object, and a body too; whoever reads the field gets the sender's own JSON, not a copy
that Python wrote. Such a value is scanned, not parsed: sixteen megabytes of brackets take no memory but their text's.
"""

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]

from gateway.http.form_limits import MAX_FIELDS, BadFormError, TooLargeError
from gateway.http.form_text import whole_characters

# (No possessive quantifiers here: Python 3.11.2, Debian 12's, gets them wrong.)
_SPACE = re.compile(r"[ \t\r\n]*")
_SCALAR = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
# In all values that are no strings, together; scanning each takes a moment.
MAX_BRACKETS_AND_STRINGS = 1_000_000
_BRACKET_OR_QUOTE = re.compile(r"[\[\]{}\"]")


def is_json_object(body: bytes | bytearray) -> bool:
    """Whether a body that is said to be JSON is an object; some clients say so of all that they send."""
    return body[:100].lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n").startswith(b"{")


def parse_json_form(body: bytes | bytearray) -> dict[str, str]:
    """Read a JSON object; a null is as if left out. Raise BadFormError or TooLargeError."""
    text = body.decode(json.detect_encoding(body), "replace").lstrip("\ufeff \t\r\n")
    if text[:1] != "{":
        raise _no_json(0)
    fields: dict[str, str] = {}
    count, at = 0, _after_space(text, 1)
    moments = iter(range(MAX_BRACKETS_AND_STRINGS))
    more = text[at : at + 1] != "}"
    while more:
        count += 1
        if count > MAX_FIELDS:
            raise TooLargeError(f"more than {MAX_FIELDS} fields")
        name, at = _string(text, at)
        at = _after_space(text, _after(text, at, ":"))
        value, at = _value(text, at, moments)
        if value is not None:
            fields[name] = value
        at = _after_space(text, at)
        more = text[at : at + 1] == ","
        at = _after_space(text, at + 1) if more else at
    if text[_after(text, at, "}") :].strip(" \t\r\n"):
        raise BadFormError("there is something behind the JSON object")
    return fields


def _value(text: str, at: int, moments: Iterator[int]) -> tuple[str | None, int]:
    match text[at : at + 1]:
        case '"':
            return _string(text, at)
        case "{" | "[":
            end = _end_of_nested(text, at, moments)
            return text[at:end], end
    found = _SCALAR.match(text, at)
    if not found:
        raise _no_json(at)
    return None if found[0] == "null" else found[0], found.end()


def _string(text: str, at: int) -> tuple[str, int]:
    if text[at : at + 1] != '"':
        raise _no_json(at)
    try:
        # Not strict: whoever writes JSON by hand leaves line ends in strings.
        string, end = scanstring(text, at + 1, False)
    except ValueError as error:
        raise _no_json(at) from error
    return whole_characters(string), end


def _end_of_nested(text: str, at: int, moments: Iterator[int]) -> int:
    depth, start = 0, at
    for _ in moments:
        found = _BRACKET_OR_QUOTE.search(text, at)
        if not found:
            raise _no_json(start)
        if found[0] == '"':
            _, at = _string(text, found.start())
            continue
        at = found.end()
        depth += 1 if found[0] in "[{" else -1
        if depth == 0:
            return at
    raise TooLargeError(f"more than {MAX_BRACKETS_AND_STRINGS} brackets and strings in the fields")


def _after(text: str, at: int, what: str) -> int:
    at = _after_space(text, at)
    if text[at : at + 1] != what:
        raise _no_json(at)
    return at + 1


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _no_json(at: int) -> BadFormError:
    return BadFormError(f"the body is not JSON at character {at + 1}")
