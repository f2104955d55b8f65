"""Host names are looked up side by side: one whose name servers are silent holds up no other, nor the relay's stop."""

import asyncio
import json
from collections.abc import AsyncIterator
from time import monotonic

import pytest
from yarl import URL

from broker_setup.outbound import guarded_connections
from callback_relay.callback import Callback
from callback_relay.outcome import Answered, NoAnswer
from callback_relay.poster import poster_for
from callback_relay.reason import Reason, Slug
from tests.support.broker import VHost
from tests.support.lms import FakeLMS
from tests.support.name_server import NameServer, running_name_server
from tests.support.relay import results_at, running_relay, settings_for
from tests.support.waiting import eventually

HANGING = 100


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[NameServer]:
    """Where this process's relay looks names up, after /etc/hosts."""
    async with running_name_server() as running:
        system_names = guarded_connections.system_names
        monkeypatch.setattr(guarded_connections, "system_names", lambda: system_names(nameservers=[running.address]))
        yield running


def url_at(name: str, lms: FakeLMS) -> str:
    return f"http://{name}:{lms.origin.rpartition(':')[2]}/x"


def posted_to(url: str) -> Callback:
    return Callback(URL(url), b"{}", b"")


def header(url: str, key: str) -> str:
    return json.dumps({"lms_callback_url": url, "lms_key": key, "queue_name": "openedx"})


async def test_a_hundred_names_that_hang_hold_up_no_other(vhost: VHost, lms: FakeLMS, server: NameServer) -> None:
    # A ladder that brings nothing back while this runs: the hanging lookups stay under way together.
    settings = settings_for(vhost.amqp_url, requests_timeout=30, retry_delays=(600,))
    async with results_at(settings) as results, running_relay(settings):
        await results.put_many([header(url_at(f"hang-{n}.example", lms), "hangs") for n in range(HANGING)])
        await eventually(lambda: sum(name.startswith("hang") for name in server.asked) == HANGING)
        await results.put_many([header(url_at(f"lms-{n}.example", lms), "arrives") for n in range(10)])
        # Four at a time, as in a pool of threads, the names that hang would take minutes.
        await lms.wait_accepted(10)


async def test_a_name_that_hangs_is_a_failure_with_words_of_its_own(
    lms: FakeLMS, server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_connections, "LOOKUP_SECONDS", 0.2)
    async with poster_for(settings_for("amqp://127.0.0.1")) as poster:
        outcome = await poster.post(posted_to(url_at("hang.example", lms)))
    assert outcome == NoAnswer(Reason(Slug.UNKNOWN_HOST, "the host's name was not found out within 0.2 s"))


async def test_names_in_the_hosts_file_need_no_name_server(lms: FakeLMS, server: NameServer) -> None:
    async with poster_for(settings_for("amqp://127.0.0.1")) as poster:
        assert await poster.post(posted_to(url_at("localhost", lms))) == Answered(200)
    assert not server.asked


async def test_a_name_that_can_not_be_is_unknown(lms: FakeLMS, server: NameServer) -> None:
    async with poster_for(settings_for("amqp://127.0.0.1")) as poster:
        outcome = await poster.post(posted_to(url_at(f"{'x' * 70}.example", lms)))
    assert outcome == NoAnswer(Reason(Slug.UNKNOWN_HOST, "the host name is unknown"))


async def test_a_stop_does_not_wait_for_names_that_hang(
    lms: FakeLMS, server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guarded_connections, "FIRST_PATIENCE_SECONDS", 60.0)
    async with poster_for(settings_for("amqp://127.0.0.1", requests_timeout=60)) as poster:
        posts = [asyncio.create_task(poster.post(posted_to(url_at(f"hang-{n}.example", lms)))) for n in range(HANGING)]
        await eventually(lambda: len(server.asked) == HANGING)
        began = monotonic()
    assert monotonic() - began < 20
    await asyncio.wait(posts, timeout=20)
    assert all(post.done() for post in posts)
