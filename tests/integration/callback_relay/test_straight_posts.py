"""Usual callbacks go straight over the library's connections: to an LMS and to us that makes no difference."""

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from yarl import URL

from broker_setup.settings import Settings
from callback_relay import straight_posts
from callback_relay.callback import Callback
from callback_relay.outcome import Answered, NoAnswer
from callback_relay.poster import ONE_PIECE, Poster, poster_for
from callback_relay.reason import Slug
from tests.support.hostile import hostile_lms
from tests.support.lms import FakeLMS, running_lms

TIMEOUT = 1.0
SMALL, LARGE = b"reply", b"x" * ONE_PIECE


@pytest.fixture
async def lms() -> AsyncIterator[FakeLMS]:
    async with running_lms() as running:
        yield running


@pytest.fixture
async def poster(lms: FakeLMS) -> AsyncIterator[Poster]:
    settings = Settings(
        requests_timeout=30.0,
        requests_basic_auth=("user", SecretStr("password")),
        callback_allowed_origins=(lms.origin,),
        callback_signing_key="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    )
    async with poster_for(settings) as opened:
        yield opened


async def test_what_goes_straight_has_the_headers_of_what_goes_by_the_session(lms: FakeLMS, poster: Poster) -> None:
    for body in (SMALL, LARGE):
        callback = Callback(URL(f"{lms.origin}/a%2Fb/score_update?c=%20d#e", encoded=True), b"{}", body, "id")
        assert await poster.post(callback) == Answered(200)
    straight, by_session = lms.received
    theirs, ours = ({**each.headers} for each in (by_session, straight))
    for name in ("Content-Length", "webhook-signature", "webhook-timestamp"):
        assert theirs.pop(name) != ""
        assert ours.pop(name) != ""
    assert ours == theirs
    assert straight.path == by_session.path


async def test_a_body_that_breaks_off_or_does_not_come_leaves_the_status_and_the_next_goes_on_anew() -> None:
    answer = b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nshort"
    async with hostile_lms(answer) as hostile, poster_for(Settings(requests_timeout=TIMEOUT)) as poster:
        for _ in range(2):
            assert await poster.post(Callback(URL(hostile.url), b"{}", SMALL)) == Answered(503)


async def test_no_answer_in_time_is_a_timeout() -> None:
    promise = b"HTTP/1.1 102 Soon\r\n\r\n"
    async with hostile_lms(promise) as hostile, poster_for(Settings(requests_timeout=TIMEOUT)) as poster:
        outcome = await poster.post(Callback(URL(hostile.url), b"{}", SMALL))
    assert isinstance(outcome, NoAnswer)
    assert outcome.reason.slug is Slug.TIMEOUT


async def test_of_any_number_of_origins_some_are_remembered(poster: Poster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(straight_posts, "MOST_TARGETS", 2)
    posts = poster._straight
    for number in range(5):
        posts._target(f"http://lms-{number}", URL(f"http://lms-{number}/x"))
    assert list(posts._targets) == ["http://lms-3", "http://lms-4"]
