"""What a passive grader is shown, whom the bridge trusts, and what it says of an answer that will not do."""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from pydantic import SecretStr
from yarl import URL

from broker_setup.errors import SettingsError
from gateway.passive.grader import Failed, NotAsked, Replied, graders_for
from tests.support.certificates import make_certificate
from tests.support.passive import REPLY, FakeGrader, grader_for, running_grader, settings_for
from tests.support.shortages import no_descriptors

GENERAL = ("general", SecretStr("pass:wörd"))
OWN = ("its", SecretStr("own"))


@pytest.fixture
async def grader() -> AsyncIterator[FakeGrader]:
    async with running_grader() as running:
        yield running


async def outcome(url: str, **settings: object) -> Replied | Failed | NotAsked:
    async with grader_for(url, **settings) as calling:
        return await calling.grade(b"{}")


async def shown(grader: FakeGrader, url: str = "", /, **settings: object) -> str | None:
    """Return the user and password that the grader is shown."""
    assert await outcome(url or grader.url, **settings) == Replied(REPLY)
    authorization = grader.heads[-1].get("Authorization")
    return b64decode(authorization.removeprefix("Basic ")).decode() if authorization else None


async def test_a_request_is_part_of_the_submissions_trace_if_there_is_one(grader: FakeGrader) -> None:
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    async with grader_for(grader.url) as calling:
        await calling.grade(b"{}", parent)
        await calling.grade(b"{}")
    assert [head.get("traceparent") for head in grader.heads] == [parent, None]


async def test_the_general_credentials_go_to_graders_as_they_always_did(grader: FakeGrader) -> None:
    assert await shown(grader, requests_basic_auth=GENERAL) == "general:pass:wörd"


async def test_two_empty_strings_are_no_credentials(grader: FakeGrader) -> None:
    assert await shown(grader, requests_basic_auth=("", SecretStr(""))) is None


async def test_an_origins_own_credentials_go_before_the_general_ones(grader: FakeGrader) -> None:
    origin = str(URL(grader.url).origin())
    both = {"requests_basic_auth": GENERAL, "grading_credentials": {origin: OWN}}
    assert await shown(grader, **both) == "its:own"
    assert await shown(grader, grading_credentials={"https://other.example": OWN}) is None
    none_for_it = {"requests_basic_auth": GENERAL, "grading_credentials": {origin: ("", SecretStr(""))}}
    assert await shown(grader, **none_for_it) is None


async def test_the_urls_own_credentials_go_before_all(grader: FakeGrader) -> None:
    url = grader.url.replace("http://", "http://urls:own@")
    assert await shown(grader, url, requests_basic_auth=GENERAL) == "urls:own"


@pytest.mark.parametrize(
    ("credentials", "why"),
    [
        (None, "answered 401: it wants credentials, which GRADING_CREDENTIALS names"),
        (GENERAL, "answered 401: it does not take the credentials that it was shown"),
    ],
)
async def test_a_grader_that_lets_nobody_in_says_what_to_do(credentials: object, why: str, grader: FakeGrader) -> None:
    grader.says(web.Response(status=401))
    assert await outcome(grader.url, requests_basic_auth=credentials) == Failed(why)


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_named_with_where_it_leads(status: int, grader: FakeGrader) -> None:
    grader.says(web.Response(status=status, headers={"Location": "https://grader.example/grade/v2?token=secret"}))
    assert await outcome(grader.url) == Failed(
        f"answered {status} with a redirect to https://grader.example/.../v2: redirects are not followed, "
        "so XQUEUES has to have the URL that answers"
    )


async def test_only_the_bundles_authorities_are_trusted(tmp_path: Path) -> None:
    certificate, other = make_certificate(tmp_path), make_certificate(tmp_path / "other")
    async with running_grader(certificate) as grader:
        assert await outcome(grader.url, grading_ca_bundle=certificate) == Replied(REPLY)
        for bundle in (None, other):
            failed = await outcome(grader.url, grading_ca_bundle=bundle)
            assert isinstance(failed, Failed)
            assert failed.reason.endswith("not trusted here")
        elsewhere = grader.url.replace("127.0.0.1", "localhost")
        failed = await outcome(elsewhere, grading_ca_bundle=certificate)
        assert failed == Failed("its certificate is for another host name")


async def test_a_bundle_that_can_not_be_used_is_named_at_start(tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    settings = settings_for("amqp://localhost/", {"queue": "http://grader.example"}, grading_ca_bundle=missing)
    with pytest.raises(SettingsError, match=f"GRADING_CA_BUNDLE: .* can't read {missing}: No such file"):
        graders_for(settings)


async def test_a_queues_own_options_go_before_the_general_ones(grader: FakeGrader) -> None:
    grader.says(b"x" * 100)
    options = {"queue": {"grading_max_reply": 99}}
    assert await outcome(grader.url) == Replied(b"x" * 100)
    assert await outcome(grader.url, queue_options=options) == Failed("its reply has more than 99 bytes")
    silent = {"queue": {"grading_timeout": 0.05}}
    async with running_grader() as slow:
        slow.answer = _never
        assert await outcome(slow.url, queue_options=silent) == Failed("no whole answer within 0.05 s")


async def _never(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def test_without_a_descriptor_no_grader_was_asked(grader: FakeGrader) -> None:
    async with grader_for(grader.url) as calling:
        with no_descriptors():
            assert await calling.grade(b"{}") == NotAsked("too many open files")
        assert await calling.grade(b"{}") == Replied(REPLY)
