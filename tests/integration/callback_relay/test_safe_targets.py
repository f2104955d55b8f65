"""Through a running relay, no trick takes a result to where callbacks don't go.

0.0.0.0 is a forbidden address that really leads to this machine: what is not refused arrives at the fake LMS.
"""

import json
import logging
from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest
from aiohttp.abc import ResolveResult

from broker_setup.outbound import guarded_connections
from broker_setup.settings import Settings
from broker_setup.wire.parked import PARKED_REASON_HEADER
from tests.support.broker import VHost
from tests.support.lms import Answer, FakeLMS, running_lms
from tests.support.names import FakeNames
from tests.support.relay import Results, running_relay, settings_for
from tests.support.waiting import eventually


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> FakeNames:
    return FakeNames(monkeypatch)


def header(url: str) -> str:
    return json.dumps({"lms_callback_url": url, "lms_key": "key", "queue_name": "openedx"})


def port_of(lms: FakeLMS) -> str:
    return lms.origin.rpartition(":")[2]


async def parked_reasons(settings: Settings, results: Results, urls: Sequence[str]) -> list[str]:
    """Give results for `urls` to a relay; return why each of them was parked, in any order."""
    async with running_relay(settings):
        await results.put_many([header(url) for url in urls])
        return [str((await results.parked()).headers[PARKED_REASON_HEADER]) for _ in urls]


async def test_no_form_of_a_forbidden_address_gets_through(
    settings: Settings, results: Results, lms: FakeLMS, names: FakeNames
) -> None:
    hosts = [
        "0.0.0.0",
        "user:password@0.0.0.0",
        "\uff10.0.0.0",
        "0\u30020\u30020\u30020",
        "[::ffff:0.0.0.0]",
        "[::FFFF:0:0]",
        "[0:0:0:0:0:ffff:0:0]",
        "[::]",
        "0",
        "0x0",
        "00000000000",
        "0.0",
        "0.0.0.0.",
        "00.00.00.00",
        "2130706433",  # 127.0.0.1
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "127.1",
        "\uff12\uff11\uff13\uff10\uff17\uff10\uff16\uff14\uff13\uff13",
        "169.254.169.254",
        "[fe80::1]",
        "[fd00:ec2::254]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:a9fe:a9fe::1]",
        "100.100.100.200",
        "224.0.0.1",
        "255.255.255.255",
    ]
    reasons = await parked_reasons(settings, results, [f"http://{host}:{port_of(lms)}/x" for host in hosts])
    assert all("are not allowed: it is" in reason for reason in reasons), reasons
    assert lms.received == []
    assert set(names.connected) <= {"127.0.0.1", "::1"}  # the broker


FORBIDDEN_ANSWERS = {
    "unspecified": ["0.0.0.0"],
    "metadata": ["169.254.169.254"],
    "mapped": ["::ffff:0.0.0.0"],
    "several": ["169.254.169.254", "fe80::1", "0.0.0.0"],
}


async def test_a_name_that_leads_only_to_forbidden_addresses_gets_nothing(
    settings: Settings, results: Results, lms: FakeLMS, names: FakeNames
) -> None:
    for name, addresses in FORBIDDEN_ANSWERS.items():
        names.say(f"{name}.example", addresses)
    urls = [f"http://{name}.example:{port_of(lms)}/x" for name in FORBIDDEN_ANSWERS]
    reasons = await parked_reasons(settings, results, urls)
    assert sorted(reasons) == sorted(
        [
            "the host is at 0.0.0.0, an unspecified address",
            "the host is at 169.254.169.254, a link-local address",
            "the host is at ::ffff:0.0.0.0, an unspecified address",
            "the host is at 169.254.169.254, a link-local address",
        ]
    )
    assert lms.received == []
    assert set(names.connected) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("addresses", [["0.0.0.0", "127.0.0.1"], ["127.0.0.1", "169.254.169.254", "0.0.0.0"]])
async def test_of_a_names_addresses_only_the_good_ones_are_used(
    settings: Settings, results: Results, lms: FakeLMS, names: FakeNames, addresses: list[str]
) -> None:
    names.say("both.example", addresses)
    async with running_relay(settings):
        await results.put(header(f"http://both.example:{port_of(lms)}/x"))
        await lms.wait_accepted(1)
    assert set(names.connected) == {"127.0.0.1"}


@pytest.mark.parametrize("addresses", [["169.254.169.254", "127.0.0.1"], ["127.0.0.1", "169.254.169.254"]])
async def test_a_good_address_that_is_away_is_tried_again_beside_a_forbidden_one(
    settings: Settings,
    results: Results,
    lms: FakeLMS,
    names: FakeNames,
    caplog: pytest.LogCaptureFixture,
    *,
    addresses: list[str],
) -> None:
    caplog.set_level(logging.INFO)
    names.say("both.example", addresses)
    await lms.stop()
    async with running_relay(settings):
        await results.put(header(f"http://both.example:{port_of(lms)}/x"))
        await eventually(lambda: "no connection: " in caplog.text)
        await lms.start()
        await lms.wait_accepted(1)


@pytest.mark.parametrize(
    ("answers", "arrives"),
    [([["127.0.0.1"], ["0.0.0.0"]], True), ([["0.0.0.0"], ["127.0.0.1"]], False)],
    ids=["good, then bad", "bad, then good"],
)
async def test_a_name_is_looked_up_once_and_what_was_judged_is_connected_to(
    settings: Settings,
    results: Results,
    lms: FakeLMS,
    names: FakeNames,
    answers: list[list[str]],
    *,
    arrives: bool,
) -> None:
    names.say("changing.example", *answers)
    async with running_relay(settings):
        await results.put(header(f"http://changing.example:{port_of(lms)}/x"))
        if arrives:
            await lms.wait_accepted(1)
        else:
            assert "0.0.0.0" in str((await results.parked()).headers[PARKED_REASON_HEADER])
    assert names.asked["changing.example"] == 1
    assert len(lms.received) == arrives
    assert "0.0.0.0" not in names.connected


@pytest.mark.parametrize("address", ["0.0.0.0", "0", "127.1", "::ffff:0.0.0.0"])
async def test_even_a_lookup_that_is_not_guarded_opens_no_socket(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    async def resolve(_: object, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=address, port=port, family=0, proto=0, flags=0)]

    monkeypatch.setattr(guarded_connections.GuardedNames, "resolve", resolve)
    [reason] = await parked_reasons(settings, results, [f"http://lying.example:{port_of(lms)}/x"])
    assert reason.startswith(f"the host is at {address}, ")
    assert lms.received == []


async def test_with_a_list_nothing_else_is_posted_to_whatever_it_looks_like(
    vhost: VHost, results: Results, lms: FakeLMS, names: FakeNames
) -> None:
    names.say("lms.example", ["127.0.0.1"])
    names.say("evil.example", ["127.0.0.1"])
    names.say("lms.example.", ["127.0.0.1"])
    port = port_of(lms)
    urls = [
        f"{lms.origin}/x",
        f"http://localhost:{port}/x",
        f"http://evil.example:{port}/x",
        f"http://lms.example@127.0.0.1:{port}/x",
        f"http://lms.example:{port}@evil.example:{port}/x",
        f"http://evil.example:{port}#@lms.example:{port}/x",
        f"http://evil.example:{port}?@lms.example:{port}/x",
        f"http://evil.example:{port}\\@lms.example:{port}/x",
        f"http://lms.example\\@evil.example:{port}/x",
        f"http://lms.example.:{port}/x",
        f"http://lms%2eexample:{port}/x",
        f"http://evil.example\t:{port}/x",
        f"http://[::ffff:127.0.0.1]:{port}/x",
        f"https://lms.example:{port}/x",
        "http://lms.example/x",
    ]
    settings = settings_for(vhost.amqp_url, callback_allowed_origins=(f"http://lms.example:{port}",))
    reasons = await parked_reasons(settings, results, urls)
    assert all("are not allowed" in reason or "callback URL" in reason for reason in reasons), reasons
    assert lms.received == []
    async with running_relay(settings):
        await results.put(header(f"http://LMS.example:{port}/x"))
        await lms.wait_accepted(1)
    assert set(names.asked) == {"lms.example"}  # what is not on the list is not even looked up


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_to_no_other_host(
    settings: Settings, results: Results, lms: FakeLMS, status: int
) -> None:
    async with running_lms() as other, running_relay(settings):
        lms.next_answers(Answer(status, headers={"Location": f"{other.origin}/inside"}))
        await results.put(lms.header())
        await lms.wait_accepted(1)
        assert other.received == []


async def test_a_proxy_in_the_environment_sees_nothing(
    settings: Settings, results: Results, lms: FakeLMS, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_lms() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.origin)
        async with running_relay(settings):
            await results.put(lms.header())
            await lms.wait_accepted(1)
        assert proxy.received == []


async def test_a_refusal_shows_neither_path_nor_password(
    settings: Settings, results: Results, lms: FakeLMS, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    [reason] = await parked_reasons(settings, results, ["http://hunter2:hunter2@0.0.0.0:81/hunter2?hunter2#hunter2"])
    assert reason == "callbacks to http://0.0.0.0:81 are not allowed: it is an unspecified address"
    assert reason in caplog.text
    assert "hunter2" not in caplog.text


async def test_neither_the_brokers_address_nor_a_name_that_leads_there_gets_a_callback(
    settings: Settings, results: Results, names: FakeNames
) -> None:
    names.say("sly.example", ["127.0.0.1"])
    port = urlsplit(settings.amqp_url.get_secret_value()).port
    reasons = await parked_reasons(settings, results, [f"http://127.0.0.2:{port}/", f"http://sly.example:{port}/"])
    assert sorted(reasons) == [
        f"callbacks to http://127.0.0.2:{port} are not allowed: the broker is there",
        f"the host is at 127.0.0.1 port {port}, where the broker is",
    ]
