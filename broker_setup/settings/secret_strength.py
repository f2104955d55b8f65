"""Which secrets are good enough to make keys of: by a careful guess of how many bits of chance they hold; no I/O."""

import math
import re
from collections import Counter
from itertools import pairwise

LEAST_LENGTH = 24
# Well beyond what can be tried; 24 letters and digits at random are 142 bits, of which the guess below finds some 100.
_LEAST_BITS = 64
# What files of other programs and of examples have in its place, without blanks and signs.
_DEFAULTS = (
    "changeme",
    "changethis",
    "djangoinsecure",
    "insecuresecret",
    "notasecret",
    "replaceme",
    "replacethis",
    "setmeplease",
    "yoursecretkey",
)


def weakness(secret: str) -> str | None:
    """Say what is weak in `secret`, with nothing of it; None where nothing is."""
    if len(secret) < LEAST_LENGTH:
        return f"is too short (must have {LEAST_LENGTH} characters or more)"
    letters = re.sub(r"[^a-z]", "", secret.lower())
    if any(default in letters for default in _DEFAULTS):
        return "is a default that everybody knows"
    unit = _repeated_unit(secret)
    if _bits(unit) < _LEAST_BITS:
        return "has too few different characters" if len(unit) == len(secret) else "repeats itself"
    return "goes on as it begins" if _bits(_unforeseen(secret)) < _LEAST_BITS else None


def _bits(text: str) -> float:
    """Guess how many bits of chance there are, by how often each character comes."""
    return sum(count * math.log2(len(text) / count) for count in Counter(text).values())


def _repeated_unit(text: str) -> str:
    """Return the shortest beginning of `text` that gives all of it when it is repeated, and cut at the end."""
    lengths = range(1, len(text) // 2 + 1)
    return next((text[:length] for length in lengths if text[length:] == text[:-length]), text)


def _unforeseen(text: str) -> str:
    """Leave out what goes on as the two characters before it do, as in abcdef, 13579 and their like."""
    steps = [ord(after) - ord(before) for before, after in pairwise(text)]
    return text[:2] + "".join(
        character for character, (before, step) in zip(text[2:], pairwise(steps), strict=True) if step != before
    )
