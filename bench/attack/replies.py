"""Replies that are made to hurt whoever looks at them."""

import json
import random
from collections.abc import Callable

MIB = 1024 * 1024
# What the gateway's form and a broker's message both take.
LARGE = 15 * MIB - 64 * 1024


def saying(msg: str, **others: object) -> bytes:
    """Make a reply with this message."""
    return json.dumps({"correct": True, "score": 1, "msg": msg, **others}, ensure_ascii=False).encode(errors="replace")


def chained_entities(number: int = 30_000) -> bytes:
    """Make one whose document type has so many entities, each the name of the next: 850 KB by default."""
    chain = "".join(f'<!ENTITY e{n} "&e{n + 1};">' for n in range(number))
    return saying(f'<!DOCTYPE a [{chain}<!ENTITY e{number} "x">]><a>&e0;<!-- &#27; --></a>')


def entity_in_attribute(references: int = 10_000) -> bytes:
    """Make one of 150 KB by default, whose attribute comes to a gigabyte."""
    return saying(f'<!DOCTYPE a [<!ENTITY e "{"x" * 100_000}">]><a b="{"&e;" * references}">&#27;</a>')


def many_equals(size: int = LARGE) -> bytes:
    """Make one whose tag never ends."""
    return saying("<td " + "=" * size)


def nested(size: int = LARGE) -> bytes:
    """Make lists in lists, which is JSON."""
    return b"[" * (size // 2) + b"]" * (size // 2)


def in_a_row(size: int = LARGE) -> bytes:
    """Make a list of many empty ones, which is JSON."""
    return b"[" + b"[]," * (size // 3) + b"0]"


# The first ones are the worst, and as large as is looked at: what is larger is refused unread.
LARGE_ONES: dict[str, Callable[[], bytes]] = {
    "entity in an attribute": entity_in_attribute,
    "a tag of 2.4 MiB of =": lambda: many_equals(2_500_000),
    "JSON of 2.4 MiB, nested": lambda: nested(2_500_000),
    "JSON of 2.4 MiB, in a row": lambda: in_a_row(2_500_000),
    "2.4 MiB of <td>": lambda: saying("<td>" * 620_000),
    "2.4 MiB of </>": lambda: saying("</>" * 820_000),
    "a tag of 15 MiB of =": many_equals,
    "JSON of 15 MiB, nested": nested,
    "JSON of 15 MiB, in a row": in_a_row,
}

_PIECES = ["<p>", "</p>", "<td ", "=", "'", '"', ">", "<!DOCTYPE a [", "<!ENTITY e 'x'>", "]>", "&e;", "&#0;", "&#27;"]
_PIECES += ["<![CDATA[", "]]>", "<?xml encoding='x'?>", "\0", "\x1b", "\ufffe", "é", " ", "\n", "text", "<!--", "-->"]
_SCORES = ["NaN", "1e999", "-1", '"1"', "null", "true", "[]", "9" * 400, "9" * 5_000, "0.5", "1"]


def at_random(some: random.Random) -> bytes:
    """Make a small hostile reply: of these, some are good by chance."""
    msg = "".join(some.choices(_PIECES, k=some.randrange(12)))
    kinds: list[Callable[[], bytes]] = [
        lambda: saying(msg),
        lambda: saying(msg, more=[msg] * some.randrange(50)),
        lambda: b'{"correct": 1, "score": %s, "msg": "x"}' % some.choice(_SCORES).encode(),
        lambda: some.randbytes(some.randrange(300)),
        lambda: b"",
        lambda: b"null",
        lambda: some.choice([b"[", b'{"":']) * some.choice([10, 1_000, 20_000]),
        lambda: chained_entities(some.choice([1, 100, 1_000])),
        lambda: entity_in_attribute(100),
        lambda: b'{"correct": 1, "score": 1, "msg": "\\ud800"}',
        lambda: b"\xff\xfe" + saying(msg)[: some.randrange(40)],
        lambda: saying("x" * some.choice([1_000, 120_000])),
    ]
    return some.choice(kinds)()
