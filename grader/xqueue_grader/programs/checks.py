"""Says whether what a program printed is what was to be printed; nothing here runs anything."""

import math
import re
from collections.abc import Callable
from functools import partial

# What Python's float() takes beside is no number here: underscores, "infinity", digits of other scripts.
NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?", re.ASCII)
# Of a longer one nobody means the end.
MOST_DIGITS = 400

Check = Callable[[str, str], bool]


def same_text(printed: str, expected: str) -> bool:
    """Compare line by line, but for white space at the ends of lines and empty lines at the end."""
    return lines(printed) == lines(expected)


def lines(text: str) -> list[str]:
    """Split into lines without what nobody sees."""
    found = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    while found and not found[-1]:
        found.pop()
    return found


def same_words(printed: str, expected: str) -> bool:
    """Compare word by word, however they stand."""
    return printed.split() == expected.split()


def same_numbers(printed: str, expected: str, *, tolerance: float) -> bool:
    """Compare word by word; numbers may differ by the tolerance, or that share of the greater one."""
    left, right = printed.split(), expected.split()
    return len(left) == len(right) and all(near(*pair, tolerance) for pair in zip(left, right, strict=True))


def near(printed: str, expected: str, tolerance: float) -> bool:
    """Compare two words."""
    if printed == expected:
        return True
    if max(len(printed), len(expected)) > MOST_DIGITS or not (NUMBER.fullmatch(printed) and NUMBER.fullmatch(expected)):
        return False
    return math.isclose(float(printed), float(expected), rel_tol=tolerance, abs_tol=tolerance)


def check_for(kind: str, tolerance: float) -> Check | None:
    """Return the check of a name; None for one that there is not."""
    return {
        "text": same_text,
        "words": same_words,
        "numbers": partial(same_numbers, tolerance=tolerance),
        "exact": str.__eq__,
    }.get(kind)
