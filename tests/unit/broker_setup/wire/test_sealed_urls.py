"""Callback URLs in the ledger: read by who has the secret, short, and passed over by gateways of 0.1.0."""

import os

import msgspec

from broker_setup.ledger.events import Leased, Submitted
from broker_setup.wire.sealed_urls import MAX_URL_BYTES, UrlSeals

URL = "https://lms.example/courses/course-v1:a+b+c/xqueue/7/block-v1:a+b+c+type@problem+block@f00/score_update"
FIRST, SECOND = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"


def test_a_url_is_opened_with_the_secret_it_was_sealed_with_or_a_fallback_and_for_its_submission_alone() -> None:
    uuid, other = os.urandom(16), os.urandom(16)
    sealed = UrlSeals([FIRST]).seal(URL, uuid)
    assert len(sealed) == len(URL) + 16
    assert b"lms" not in sealed
    assert UrlSeals([FIRST]).open(sealed, uuid) == UrlSeals([SECOND, FIRST]).open(sealed, uuid) == URL
    assert UrlSeals([SECOND]).open(sealed, uuid) == UrlSeals([FIRST]).open(sealed, other) == ""
    assert UrlSeals([FIRST]).open(b"", uuid) == ""


def test_a_hostile_url_costs_no_more_than_600_bytes() -> None:
    uuid = os.urandom(16)
    assert len(UrlSeals([FIRST]).seal("https://" + "\udcff\u202e" * 10_000, uuid)) == MAX_URL_BYTES + 16


def test_who_knows_neither_field_reads_the_events_as_before() -> None:
    class FormerlySubmitted(msgspec.Struct, array_like=True, tag=1):
        at: float
        submission: bytes
        queue: str

    class FormerlyLeased(msgspec.Struct, array_like=True, tag=2):
        at: float
        submission: bytes
        queue: str

    sent = [
        Submitted(1.0, b"u", "q", sealed_url=b"sealed"),
        Leased(2.0, b"u", "q", b"", b"k", 3.0, "sealed", 1, grader="ned"),
    ]
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(sent), type=list[FormerlySubmitted | FormerlyLeased])
    assert [each.queue for each in read] == ["q", "q"]
