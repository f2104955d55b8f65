"""What the real edx-submissions answers to put_result/, and what the relay makes of it."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from yarl import URL

from broker_setup.settings import Settings
from broker_setup.upstream.upstreams import Upstreams
from callback_relay.callback import Callback
from callback_relay.outcome import Answered, NoAnswer, NotWanted, Outcome
from callback_relay.put_results import PutResults
from callback_relay.reason import Slug
from tests.support.lms_site import STRANGER, LmsSite
from tests.support.upstream import settings_for

REPLY = json.dumps({"correct": True, "score": 7, "msg": "<p>Good job!</p>"}).encode()


@pytest.fixture
def settings(site: LmsSite, there: str) -> Settings:
    return settings_for("amqp://127.0.0.1", site, there)


async def take(settings: Settings, there: str) -> dict[str, Any]:
    """Take one, as a watcher does; return its header."""
    async with Upstreams(settings).sessions(1) as sessions:
        said = await sessions["lms"].get("get_submission/", {"queue_name": there})
    header: dict[str, Any] = json.loads(json.loads(json.loads(said.body)["content"])["xqueue_header"])
    return header


async def put(settings: Settings, *headers: Mapping[str, Any], reply: bytes = REPLY) -> list[Outcome]:
    async with PutResults(settings) as putting:
        return [
            await putting.post(
                Callback(
                    URL(f"{settings.upstreams['lms'].url}/put_result/"),
                    json.dumps(header).encode(),
                    reply,
                    upstream="lms",
                    points=10.0,
                )
            )
            for header in headers
        ]


async def test_a_result_is_taken_also_when_its_five_minutes_are_over_and_once_alone(
    settings: Settings, site: LmsSite, there: str
) -> None:
    ids = site.submit("print(1)", queue=there)
    header = await take(settings, there)
    site.let_leases_run_out()
    assert await put(settings, header, header) == [Answered(200), Answered(500)]
    assert site.became(ids) == [("retired", [7])]


async def test_a_result_that_never_will_be_wanted_is_known_by_the_upstreams_own_word(
    settings: Settings, site: LmsSite, there: str
) -> None:
    site.submit("print(1)", queue=there)
    header = await take(settings, there)
    other_key, nobodys = header | {"submission_key": "another"}, header | {"submission_id": 999_999}
    outcomes = await put(settings, other_key, nobodys)
    assert [(type(each), each.reason.slug) for each in outcomes if isinstance(each, NotWanted)] == [
        (NotWanted, "status_403"),
        (NotWanted, "status_404"),
    ]


async def test_a_score_that_could_not_be_stored_is_handed_out_again_with_another_key(
    settings: Settings, site: LmsSite, there: str
) -> None:
    ids = site.submit("print(1)", queue=there)
    header = await take(settings, there)
    assert await put(settings, header, reply=b'{"score": null}') == [Answered(200)]
    assert site.became(ids) == [("retry", [])]
    assert (await take(settings, there))["submission_key"] != header["submission_key"]


@pytest.mark.parametrize("status", [500, 502, 503, 404, 403])
async def test_a_site_in_front_that_is_away_or_refuses_all_is_no_word_of_the_upstream(
    settings: Settings, site: LmsSite, there: str, status: int
) -> None:
    site.submit("print(1)", queue=there)
    header = await take(settings, there)
    site.answer_all(status)
    [outcome] = await put(settings, header)
    if status == 403:  # as of whoever may not come in
        assert isinstance(outcome, NoAnswer)
        assert outcome.reason.slug == Slug.LOGIN
    else:
        assert outcome == Answered(status)


@pytest.mark.parametrize("account", [("watcher", "wrong"), (STRANGER, "its password")])
async def test_who_is_not_let_in_asks_no_more_for_a_while(site: LmsSite, there: str, account: tuple[str, str]) -> None:
    user, password = account
    settings = settings_for("amqp://127.0.0.1", site, there)
    settings = settings.model_copy(
        update={
            "upstreams": {"lms": settings.upstreams["lms"].model_copy(update={"user": user})},
            "upstream_passwords": {"lms": type(settings.upstream_passwords["lms"])(password)},
        }
    )
    before = site.look()["logins"]
    outcomes = await put(settings, *[{"submission_id": 1, "submission_key": "k"}] * 3)
    assert [isinstance(each, NoAnswer) and each.reason.slug for each in outcomes] == [Slug.LOGIN] * 3
    assert all(
        user in each.reason.text and password not in each.reason.text for each in outcomes if isinstance(each, NoAnswer)
    )
    # A session that may do nothing is thrown away once, as it may have ended.
    assert site.look()["logins"] - before <= 2
