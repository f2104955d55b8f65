"""Frames come back as they went out, and what is no frame is said to be none."""

import time
from collections.abc import Sequence
from math import inf
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from broker_setup.errors import BadMessageError
from broker_setup.ledger.events import (
    KEY_HASH_BYTES,
    URL_HASH_BYTES,
    AnyEvent,
    Event,
    Expired,
    Leased,
    Submitted,
    hash_key,
    hash_url,
)
from broker_setup.ledger.frames import Frame, decode_frame, encode_frame, new_frame_id
from tests.support.gateway import seconds_taken

KINDS: Sequence[type[Event]] = get_args(AnyEvent)

_VALUES = {
    float: st.floats(allow_nan=False),
    bytes: st.binary(max_size=40),
    str: st.text(max_size=40),
    int: st.integers(0, 2**63 - 1),
    bool: st.booleans(),
    float | None: st.none() | st.floats(allow_nan=False),
    bytes | None: st.none() | st.binary(max_size=40),
}


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{field.name: _VALUES[field.type] for field in msgspec.structs.fields(kind)})


frames = st.builds(
    Frame,
    id=st.binary(min_size=1, max_size=12),
    writer=st.text(max_size=40),
    events=st.lists(st.one_of([events_of(kind) for kind in KINDS]), max_size=10),
    at=st.floats(allow_nan=False),
)


@given(frames)
def test_a_frame_comes_back_as_it_went_out(frame: Frame) -> None:
    assert decode_frame(encode_frame(frame).body) == frame


def test_an_event_keeps_its_kind_among_others_with_the_same_fields() -> None:
    sent: list[AnyEvent] = [Submitted(1.0, b"s", "openedx", b"u"), Expired(2.0, b"s", b"k")]
    came = decode_frame(encode_frame(Frame(b"id", "gateway", sent)).body).events
    assert [type(event) for event in came] == [Submitted, Expired]


def test_a_frame_without_events_is_a_marker() -> None:
    assert decode_frame(encode_frame(Frame(b"id", "gateway", [])).body).events == []


@given(st.binary(max_size=200))
def test_garbage_is_no_frame_or_one_that_was_meant(garbage: bytes) -> None:
    try:
        frame = decode_frame(garbage)
    except BadMessageError:
        return
    assert decode_frame(encode_frame(frame).body) == replace(frame, unknown=0)


@given(frames, st.data())
def test_a_frame_that_was_cut_off_is_none(frame: Frame, data: st.DataObject) -> None:
    whole = encode_frame(frame).body
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(BadMessageError) as caught:
        decode_frame(whole[:cut])
    assert caught.value.received == whole[:cut]


@pytest.mark.parametrize("unknown", [[99, 1.0, b"s"], [0], ["1", 1.0, b"s"], [None], [5, 1.0, "no uuid", 7], {}, 3])
def test_an_event_that_we_can_not_read_is_passed_over_and_counted_and_the_rest_of_its_frame_counts(
    unknown: object,
) -> None:
    known = [[5, 1.0, b"s", b"k"], [5, 2.0, b"t", b"l"]]
    body = msgspec.msgpack.encode([b"id", "gateway of tomorrow", [known[0], unknown, known[1], unknown], 12.5, "new"])
    events: list[AnyEvent] = [Expired(1.0, b"s", b"k"), Expired(2.0, b"t", b"l")]
    assert decode_frame(body) == Frame(b"id", "gateway of tomorrow", events, at=12.5, unknown=2)


def test_a_frame_of_0_1_0_is_read_and_says_not_when_it_was_sent_nor_whom_its_submits_supersede() -> None:
    body = msgspec.msgpack.encode([b"id", "xqueue-gateway 18040", [[1, 1.0, b"s", "openedx", b"u"]]])
    assert decode_frame(body) == Frame(b"id", "xqueue-gateway 18040", [Submitted(1.0, b"s", "openedx", b"u", inf)])


def test_a_field_that_a_later_version_appends_is_passed_over() -> None:
    body = msgspec.msgpack.encode([b"id", "gateway of tomorrow", [[5, 1.0, b"s", b"k", "new"]]])
    assert decode_frame(body).events == [Expired(1.0, b"s", b"k")]


def test_what_nests_without_end_is_no_frame() -> None:
    with pytest.raises(BadMessageError):
        decode_frame(b"\x94\xc4\x01a\xa1w\x90" + 100_000 * b"\x91" + b"\x90")


def test_the_message_is_persistent_and_named_by_the_frame() -> None:
    frame = Frame(new_frame_id(), "gateway", [])
    message = encode_frame(frame)
    assert message.delivery_mode == 2
    assert message.message_id == frame.id.hex()


def test_no_two_frames_have_one_id() -> None:
    assert len({new_frame_id() for _ in range(10_000)}) == 10_000


def test_every_kind_of_event_says_when_and_of_which_submission() -> None:
    for kind in KINDS:
        assert [field.name for field in msgspec.structs.fields(kind)][:2] == ["at", "submission"]


def test_hashes_have_their_sizes_and_take_any_text() -> None:
    for text in ("", "https://lms.example/score_update", "\N{GRINNING FACE}", "\ud800", 100_000 * "x"):
        assert len(hash_url(text)) == URL_HASH_BYTES
        assert len(hash_key(text)) == KEY_HASH_BYTES
    assert hash_url("https://lms.example/a") != hash_url("https://lms.example/b")


def test_a_full_frame_of_leases_is_small_and_read_in_a_blink() -> None:
    lease = Leased(time.time(), 16 * b"s", "openedx", 12 * b"u", 16 * b"k", time.time() + 60, 300 * "s", 1)
    body = encode_frame(Frame(new_frame_id(), "gateway 1", [lease] * 1_000)).body
    assert len(body) < 600_000
    assert seconds_taken(lambda: decode_frame(body), below=0.1) < 0.1  # measured: 0.4 ms


def test_events_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Expired(1.0, b"s", b"k").at = 2.0  # type: ignore[misc]
