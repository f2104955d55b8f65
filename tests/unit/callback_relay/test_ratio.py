"""Points become ratios, and replies without a usable score stay what they were."""

import json

import pytest

from callback_relay.ratio import with_ratio


@pytest.mark.parametrize(
    ("score", "points", "ratio"),
    [(7, 10, 0.7), (10, 10, 1), (25, 10, 1), (-3, 10, 0), (0.5, 1, 0.5), (3, 1, 1), (0, 10, 0), (5, 0.5, 1)],
)
def test_a_score_is_divided_and_held_between_0_and_1(score: float, points: float, ratio: float) -> None:
    reply = {"correct": True, "score": score, "msg": "<p>é</p>", "more": [1]}
    assert json.loads(with_ratio(json.dumps(reply).encode(), points)) == reply | {"score": ratio}


@pytest.mark.parametrize(
    "reply",
    [
        b'{"score" : 0.5 , "msg": "as it was written"}',
        b'{"score": "7"}',
        b'{"score": null}',
        b'{"score": 1e999}',
        b'{"score": -Infinity}',
        b'{"score": NaN}',
        b'{"msg": "none"}',
        b"[7]",
        b"\xff\xfe",
        b"[" * 10_000,
        b'{"score": ' + b"9" * 10_000 + b"}",
        b"",
    ],
)
def test_what_has_no_score_to_divide_or_a_ratio_stays_byte_for_byte(reply: bytes) -> None:
    assert with_ratio(reply, 1.0) == reply


def test_a_whole_number_that_no_float_holds_stays_as_it_is() -> None:
    reply = b'{"score": ' + b"9" * 390 + b"}"
    assert with_ratio(reply, 10.0) == reply
