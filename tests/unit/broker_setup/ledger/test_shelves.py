"""Shelves are a dict that takes less room."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from broker_setup.ledger.state import shelves
from broker_setup.ledger.state.shelves import Shelves
from tests.support.examples import examples

KEY, VALUE = 3, 2
# Of few bytes, so that one is often found across two records; and some that fit no record.
letters = st.sampled_from(b"ab")
keys = st.lists(letters, min_size=KEY, max_size=KEY).map(bytes) | st.sampled_from([b"", b"a", b"ab", b"abab"])
values = st.lists(letters, min_size=VALUE, max_size=VALUE).map(bytes) | st.sampled_from([b"", b"b", b"aba"])


class ShelvesAndDict(RuleBasedStateMachine):
    """The same is done to both; all keys stand on one shelf."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(shelves, "_SHELVES", 1)
        self.shelves = Shelves(key_bytes=KEY, value_bytes=VALUE)
        self.dict: dict[bytes, bytes] = {}

    @rule(key=keys, value=values)
    def put(self, key: bytes, value: bytes) -> None:
        self.shelves[key] = self.dict[key] = value

    @rule(key=keys, value=values)
    def add(self, key: bytes, value: bytes) -> None:
        if key not in self.dict:
            self.shelves.add(key, value)
            self.dict[key] = value

    @rule(key=keys)
    def discard(self, key: bytes) -> None:
        assert self.shelves.discard(key) == (self.dict.pop(key, None) is not None)

    @rule(key=keys)
    def take(self, key: bytes) -> None:
        assert self.shelves.take(key) == self.dict.pop(key, None)

    @invariant()
    def they_hold_the_same(self) -> None:
        assert dict(self.shelves) == self.dict
        assert len(self.shelves) == len(self.dict)

    @rule(key=keys)
    def find(self, key: bytes) -> None:
        assert self.shelves.find(key) == self.shelves.get(key) == self.dict.get(key)
        assert (key in self.shelves) == (key in self.dict)

    def teardown(self) -> None:
        self.patch.undo()


ShelvesAndDict.TestCase.settings = settings(max_examples=examples(50, 2_000), stateful_step_count=30, deadline=None)
TestShelvesAndDict = pytest.mark.unmeasured(ShelvesAndDict.TestCase)


@given(st.lists(st.tuples(st.binary(min_size=KEY, max_size=KEY), st.integers(0, 9))), st.integers(0, 9))
def test_values_that_grow_are_taken_away_below_a_limit(pairs: list[tuple[bytes, int]], limit: int) -> None:
    both = Shelves(key_bytes=KEY, value_bytes=1), dict[bytes, bytes]()
    for key, value in sorted(pairs, key=lambda pair: pair[1]):
        for each in both:
            each[key] = bytes([value])
    shelved, plain = both
    below = {key for key, value in plain.items() if value < bytes([limit])}
    assert set(shelved.discard_below(bytes([limit]))) == below
    assert dict(shelved) == {key: value for key, value in plain.items() if key not in below}


def test_a_key_that_is_missing_is_an_error() -> None:
    empty = Shelves(key_bytes=KEY, value_bytes=VALUE)
    with pytest.raises(KeyError):
        empty[b"key"]
    with pytest.raises(KeyError):
        del empty[b"key"]


def test_forty_thousand_pairs_take_little_more_than_their_bytes() -> None:
    many = 40_000
    tracemalloc.start()
    try:
        shelved = Shelves(key_bytes=16, value_bytes=36)
        for number in range(many):
            shelved.add(number.to_bytes(16), bytes(36))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 2.5 * many * (16 + 36)
