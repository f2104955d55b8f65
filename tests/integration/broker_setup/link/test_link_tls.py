"""A broker behind TLS with a certificate of its own: clients and management API trust what the setting names."""

import asyncio
from pathlib import Path

import pytest

from broker_setup.errors import BrokerUnavailableError, SettingsError
from broker_setup.link.blocking import connect
from broker_setup.link.broker_url import url_for, vhost_of
from broker_setup.link.connection import Link, supervised
from broker_setup.operator.management_api import Management
from broker_setup.settings import Settings, load_settings
from tests.support.broker import VHost
from tests.support.certificates import make_certificate
from tests.support.proxy import proxied


def why_not(url: str) -> str:
    with pytest.raises(BrokerUnavailableError) as caught:
        connect(url).close()
    return str(caught.value).rpartition(": ")[2]


async def test_both_clients_trust_the_bundle_and_nobody_else(vhost: VHost, tmp_path: Path) -> None:
    certificate, other = make_certificate(tmp_path), make_certificate(tmp_path / "other")
    async with proxied(vhost.amqp_url, certificate) as proxy:
        url = Settings(amqp_url=proxy.url, broker_ca_bundle=certificate).amqp_url.get_secret_value()
        await asyncio.to_thread(lambda: connect(url).close())
        link = Link(url, "test")
        async with asyncio.timeout(20), supervised(link):
            await link.wait_up()
        stranger = Settings(amqp_url=proxy.url, broker_ca_bundle=other).amqp_url.get_secret_value()
        for refused in (proxy.url, stranger):
            assert (await asyncio.to_thread(why_not, refused)).endswith("not trusted here")
        elsewhere = url.replace("127.0.0.1", "localhost")
        assert await asyncio.to_thread(why_not, elsewhere) == "its certificate is for another host name"


async def test_the_management_api_is_trusted_likewise(vhost: VHost, tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path)
    async with proxied(vhost.management_url, certificate) as proxy:
        for bundle in (certificate, None):
            with Management(proxy.url, vhost_of(vhost.amqp_url), bundle) as api:
                if bundle:
                    assert await asyncio.to_thread(api.users)
                else:
                    with pytest.raises(BrokerUnavailableError, match=r"\(its certificate is .* not trusted here\)"):
                        await asyncio.to_thread(api.users)


def test_a_bundle_that_can_not_be_used_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "missing.pem"
    monkeypatch.setenv("XQUEUE_BROKER_CA_BUNDLE", str(missing))
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert str(caught.value).startswith("XQUEUE_BROKER_CA_BUNDLE: must be a file of certificates in PEM form")
    assert str(missing) in str(caught.value)
    assert "No such file or directory" in str(caught.value)


def test_a_refusal_is_said_in_the_brokers_words_with_what_helps(vhost: VHost) -> None:
    assert why_not(url_for(vhost.amqp_url, "nobody", "hunter2")).startswith("user or password in AMQP_URL is wrong")
    assert why_not(f"{vhost.amqp_url}nope") == "AMQP_URL names a virtual host that the broker doesn't have"
